"""What containers tell of their runs is read from Pods of a real node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import serve
from testkit.kept_logs import Keeping
from testkit.node_runs import NodeRuns
from testkit.processes.operators import Starter, build_template

from sundial_api.settings import DatabaseSettings
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until_async

JsonObject = dict[str, Any]
UNTIL_STOPPED = "trap 'exit 143' TERM; while true; do sleep 0.2; done"
ERROR = """printf '{"sundial": 1, "error": "ValueError: no disk"}' > /dev/termination-log; exit 3"""
LONG = """
printf '{"sundial":1,"error":"%s"}' $(head -c 2900 /dev/zero | tr '\\0' x) > /dev/termination-log
exit 3
"""
FILL = "head -c 4096 /dev/zero | tr '\\0' y > /dev/termination-log"
NUMBERS = 40_000
LARGE = f"""
for n in $(seq 1 100); do echo "line $n"; done
printf '{{"sundial":1,"result":{{"ids":["… {NUMBERS} more"]}},"truncated":["result.ids"]}}' \\
  > /dev/termination-log
printf '99 %%'
printf '{{"sundial":1,"result":{{"ids":[%s],"password":"hunter2"}}}}\\n' "$(seq -s, 1 {NUMBERS})"
"""


@pytest.fixture
async def runs(
    node_cluster: Cluster, start_node_operator: Starter, fresh_engine: AsyncEngine, fresh_database: str
) -> AsyncIterator[NodeRuns]:
    """Give runs on the node, and an API that shows them."""
    async with serve(node_cluster, fresh_database) as http:
        yield NodeRuns(start_node_operator(), http, fresh_engine)


def add_container(template: JsonObject, field: str, name: str, script: str, **how: Any) -> JsonObject:
    """Add a container to a template."""
    container = {"name": name, "image": "localhost/box:1", "command": ["sh", "-c", script], **how}
    template["spec"]["template"]["spec"].setdefault(field, []).append(container)
    return template


def build_with_sidecar(script: str) -> JsonObject:
    """Build a template with a native sidecar, which exits 143 when it is stopped."""
    template = build_template(["sh", "-c", script])
    return add_container(template, "initContainers", "a-proxy", UNTIL_STOPPED, restartPolicy="Always")


async def test_a_native_sidecar_that_is_stopped_hides_nothing(runs: NodeRuns) -> None:
    path = await runs.run("failed", "", template=build_with_sidecar(ERROR))
    pod = runs.find_pod("failed")
    (sidecar,) = pod["status"]["initContainerStatuses"]
    assert (pod["status"]["phase"], sidecar["state"]["terminated"]["exitCode"]) == ("Failed", 143)
    shown = await runs.read(path)
    assert (shown["exitCode"], shown["errorMessage"], shown["reason"]) == (3, "ValueError: no disk", "Error")


async def test_a_native_sidecar_does_not_hide_an_init_container_that_failed(runs: NodeRuns) -> None:
    template = add_container(build_with_sidecar("true"), "initContainers", "setup", "exit 9")
    shown = await runs.read(await runs.run("setup", "", template=template))
    assert shown["errorMessage"] == "Error: container setup exited with code 9"
    assert shown["exitCode"] == 9


async def test_one_of_four_containers_tells_as_much_as_fits(runs: NodeRuns) -> None:
    template = build_template(["sh", "-c", LONG])
    for name in ("a", "b", "c"):
        add_container(template, "containers", name, FILL)
    shown = await runs.read(await runs.run("four", "", template=template))
    assert (len(shown["errorMessage"]), set(shown["errorMessage"])) == (2000, {"x", "…"})
    longer = LONG.replace("2900", "3900")
    template["spec"]["template"]["spec"]["containers"][0]["command"] = ["sh", "-c", longer]
    shown = await runs.read(await runs.run("more", "", template=template))
    assert shown["errorMessage"] == "Error: container main exited with code 3"


async def test_a_large_result_is_read_from_the_log(
    runs: NodeRuns, node_cluster: Cluster, fresh_engine: AsyncEngine, fresh_database: str
) -> None:
    settings = DatabaseSettings(database_url=fresh_database, results_from_logs=True)
    keeping = Keeping(fresh_engine, runs.sundial.ns, settings)
    runs.start("large", LARGE)
    async with keeping.mirror(node_cluster):
        (row,) = await until_async(lambda: has_read(keeping))
        shown = await until_async(lambda: read_success(runs, "large"))
    assert row == (0, "main", None, False)
    assert (shown["result"]["password"], shown["isResultCut"]) == ("***", False)
    assert shown["result"]["ids"] == list(range(1, NUMBERS + 1))
    (listed,) = (await runs.read("/executions"))["executions"]
    assert listed["result"] == {"ids": [f"… {NUMBERS} more"]}


async def read_success(runs: NodeRuns, name: str) -> JsonObject | None:
    """Read a run once it is known to have succeeded: its log may be read before."""
    shown: JsonObject = await runs.read(runs.find_path(name))
    return shown if shown["status"] == "success" else None


async def has_read(keeping: Keeping) -> list[Any]:
    return [row[:4] for row in await keeping.read("tries, container, log_text, is_cut, read_at") if row[4]]
