"""Who reads what is kept of a log, and when? With the rights of a live log, where that cannot be read."""

from __future__ import annotations

from collections.abc import Awaitable

import httpx
import pytest
from testkit.api_apps import serve
from testkit.kept_logs import JSON, FailingRuns, Keeping, connect, want_log, wire_to
from testkit.kubelets import PlayedKubelet
from testkit.processes.apis import READER, make_user

from sundial_api.auth import kept_answers
from sundial_api.auth.access import SubjectAccessReviews
from sundial_api.auth.breaker import Breaker
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.auth.kept_answers import REVIEW_SECONDS
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until_async

LOGS = [{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]


async def test_the_end_of_a_log_outlives_its_pod(
    runs: FailingRuns, keeping: Keeping, cluster: Cluster, fresh_database: str
) -> None:
    path, pod = runs.fail("fails")
    async with keeping.mirror(cluster):
        assert await keeping.until_settled() == [
            (pod["metadata"]["uid"], 0, True, "main", "one\ntwo\nthree\n", False)
        ]
        assert keeping.count("kept") == 1
    async with serve(cluster, fresh_database) as http:
        live = (await http.get(path)).json()
        assert (live["text"], live["isStored"], live["containers"]) == ("one\ntwo\nthree\n", False, ["main"])
        runs.replace_pod(pod)
        await check_stored(http, path, pod)


async def check_stored(http: httpx.AsyncClient, path: str, pod: JSON) -> None:
    answer = await http.get(f"{path}?lines=2")
    assert answer.status_code == 200, answer.text
    kept = answer.json()
    assert (kept["text"], kept["isStored"], kept["podName"]) == (
        "two\nthree\n",
        True,
        pod["metadata"]["name"],
    )
    for query, words in {"container=mesh": "only the log of container main", "attempt=2": "no Pod"}.items():
        refused = await http.get(f"{path}?{query}")
        assert (refused.status_code, words in refused.json()["detail"]) == (404, True)


async def test_what_is_kept_is_read_with_the_rights_of_a_live_log(
    keeping: Keeping,
    kubelet: PlayedKubelet,
    cluster: Cluster,
    namespace: str,
    fresh_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
    path = await want_log(keeping, cluster, namespace, kubelet.node)
    async with connect(cluster) as kube, keeping.keep(kube):
        await keeping.until_settled()
    cluster.kubectl("delete", "-n", namespace, "pod", "held", "--force", "--grace-period=0")
    reader = make_user(cluster, namespace, "reader", READER, "Role")
    watcher, late = (make_user(cluster, namespace, name, [*READER, *LOGS], "Role") for name in ("a", "b"))
    with wire_to(cluster) as wire:
        async with connect(cluster, wire.port, REVIEW_SECONDS) as kube:
            breaker = Breaker()
            reviews = {
                "authenticator": ClusterTokens(kube, breaker=breaker),
                "access": SubjectAccessReviews(kube, breaker=breaker),
            }
            how = reviews | {"client": kube}
            async with serve(cluster, fresh_database, **how) as http:

                async def ask(token: str) -> tuple[int, str | None]:
                    answer = await http.get(path, headers={"Authorization": f"Bearer {token}"})
                    return answer.status_code, answer.json().get("text")

                assert await ask(reader) == (403, None)
                assert await ask(watcher) == (200, "one\ntwo\nthree\n")
                wire.cut()
                assert await ask(watcher) == (200, "one\ntwo\nthree\n")
                assert [await ask(reader), await ask(late)] == [(503, None), (503, None)]
                wire.clear()
                await until_async(lambda: is_answered(ask(late)))
                wire.freeze()
                assert await ask(watcher) == (200, "one\ntwo\nthree\n")


async def is_answered(asked: Awaitable[tuple[int, str | None]]) -> bool:
    """Tell whether what was asked for is the answer; the API server is left alone for a while."""
    return await asked == (200, "one\ntwo\nthree\n")
