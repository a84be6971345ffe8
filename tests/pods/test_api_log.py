"""The log of a run is read from its Pod on a real node, and from no other Pod."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import serve
from testkit.kept_logs import Keeping
from testkit.node_runs import NodeRuns
from testkit.processes.operators import Starter

from sundial_api.mirror.projection.log_texts import SHOWN_BYTES
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until_async

SCRIPT = r'for n in $(seq 1 300); do echo "line $n"; done; printf "\033[31mred\033[0m\007\n"; exit 1'
LONG = "head -c 400000 /dev/zero | tr '\\0' x; echo; echo end"
HOSTILE = (
    "head -c 1048576 /dev/zero | tr '\\0' x;"
    r"printf '\npassword=hunter2\n\033[31mtok\033[0men=hunter2\n\377\000caf\351\n'; exit 1"
)
ENDING = "trap 'sleep 5; exit 1' TERM; echo started; while true; do sleep 0.2; done"


@pytest.fixture
async def runs(
    node_cluster: Cluster, start_node_operator: Starter, fresh_engine: AsyncEngine, fresh_database: str
) -> AsyncIterator[NodeRuns]:
    async with serve(node_cluster, fresh_database) as http:
        yield NodeRuns(start_node_operator(), http, fresh_engine)


async def test_the_end_of_a_log_is_read_by_lines(runs: NodeRuns) -> None:
    path = await runs.run("fails", SCRIPT)
    log = await runs.read(f"{path}/log?lines=3")
    assert (log["text"], log["isCut"]) == ("line 299\nline 300\nred\n", False)
    assert (log["container"], log["containers"], log["attempt"]) == ("main", ["main"], 1)
    assert (await runs.read(f"{path}/log"))["text"].startswith("line 102\n")
    assert "it has main" in (await runs.read(f"{path}/log?container=other", 404))["detail"]
    await runs.read(f"{path}/log?attempt=2", 404)


async def test_a_line_without_an_end_is_cut(runs: NodeRuns) -> None:
    path = await runs.run("long", LONG)
    log = await runs.read(f"{path}/log")
    assert (len(log["text"]), log["text"][-6:], log["isCut"]) == (SHOWN_BYTES, "x\nend\n", True)
    assert (await runs.read(f"{path}/log?lines=1"))["text"] == "end\n"


async def test_another_pod_of_that_name_is_not_read(runs: NodeRuns) -> None:
    path = await runs.run("gone", SCRIPT)
    pod, ns = runs.find_pod("gone"), runs.sundial.ns
    name = pod["metadata"]["name"]
    runs.sundial.cluster.kubectl("delete", "-n", ns, "pod", name)
    assert "is gone" in (await runs.read(f"{path}/log", 404))["detail"]
    spec = {"containers": [{"name": "main", "image": "localhost/box:1", "command": ["echo", "another's"]}]}
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    runs.sundial.cluster.kubectl("create", "-n", ns, "-f", "-", input=json.dumps(made))
    runs.sundial.cluster.kubectl(
        "wait", "-n", ns, f"pod/{name}", "--for=condition=PodReadyToStartContainers", "--timeout=60s"
    )
    refused = await runs.read(f"{path}/log", 404)
    assert "is gone" in refused["detail"]


@pytest.fixture
async def keeping(
    node_cluster: Cluster, fresh_engine: AsyncEngine, fresh_database: str, runs: NodeRuns
) -> Keeping:
    """Give what mirrors the namespace, and keeps the ends of logs."""
    settings = DatabaseSettings(database_url=fresh_database, log_tail_bytes=16_384)
    return Keeping(fresh_engine, runs.sundial.ns, settings)


async def test_of_each_attempt_that_failed_the_end_of_its_log_is_kept(
    runs: NodeRuns, keeping: Keeping, node_cluster: Cluster
) -> None:
    runs.start("twice", 'echo "attempt $SUNDIAL_ATTEMPT"; exit 1', retry={"count": 1, "delaySeconds": 1})
    runs.start("hostile", HOSTILE)
    runs.start("slow", ENDING, timeoutSeconds=3)
    async with keeping.mirror(node_cluster):
        await until_async(lambda: has_kept(keeping, 4))
    hostile, first, second, slow = sorted(await keeping.read("log_text"), key=len, reverse=True)
    assert hostile.lstrip("x") == "\npassword=[redacted]\ntoken=[redacted]\n\ufffdcaf\ufffd\n"
    assert len(hostile.encode()) == 16_384
    assert {first, second} | {slow} == {"attempt 1\n", "attempt 2\n", "started\n"}


async def has_kept(keeping: Keeping, count: int) -> bool:
    return len([text for text in await keeping.read("log_text") if text]) == count
