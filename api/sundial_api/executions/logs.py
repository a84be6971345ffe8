"""What did a run write? The end of the log of a Pod that is known to be its own, for who may read it.

Where the Pod cannot be read any more it is what is kept of it; the rules: docs/api-contract.md, "Log of an
execution".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from sundial_api.db.fetch import Row
from sundial_api.deps import CallerAccess, Services
from sundial_api.executions import repository, service
from sundial_api.executions.schemas import ExecutionLog, LogQuery
from sundial_api.http.errors import HTTPProblem
from sundial_api.mirror.pod_logs import LogRefused, PodGone, list_containers, read_pod_log
from sundial_api.mirror.projection.api_values import OPEN_STATUSES
from sundial_api.mirror.projection.custody import KnownPod, list_known_pods
from sundial_api.mirror.projection.log_texts import PodLog
from sundial_clock.sentences import say
from sundial_core.resources.raw import JsonObject
from sundial_kube.deadline import compute_remaining, within
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import PODS, SCHEDULED_JOBS

NO_LOGS = say("logs of Pods are not read here; use kubectl logs")
GONE = say("the Pod of this execution is gone, and its log with it")
STORED_SECONDS = 2.0
"""How much of the time for an answer the cluster is not waited for: what is kept takes some too."""

LINES = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class LogReader:
    """Reads logs for one caller."""

    services: Services
    caller: CallerAccess

    async def read(self, execution_id: UUID, query: LogQuery) -> ExecutionLog:
        """Read the end of a log, of its Pod or as it is kept.

        Raises Problem 403, 404 where it is gone, 409 where it has not begun; ApiError and ApiUnreachable.
        """
        async with self.services.engine.begin() as connection:
            row = await service.get_execution(connection, execution_id)
        await self.caller.require("get", SCHEDULED_JOBS, row["namespace"])
        if not self.services.settings.logs:
            raise HTTPProblem(404, NO_LOGS)
        await self.caller.require("get", PODS, row["namespace"], "log")
        pod = find_pod(row, query.attempt)
        try:
            return await self._read_live(execution_id, pod, query)
        except (PodGone, LogRefused, ApiError, ApiUnreachable) as trouble:
            async with self.services.engine.begin() as connection:
                tail = await repository.find_log_tail(connection, execution_id, pod)
            if tail is None:
                raise translate(trouble) from trouble
            return show_tail(execution_id, pod, tail, query)

    async def _read_live(self, execution_id: UUID, pod: KnownPod, query: LogQuery) -> ExecutionLog:
        def choose(item: JsonObject) -> str:
            return choose_container(item, query.container)

        with within(max(0.0, compute_remaining() - STORED_SECONDS)):
            log = await read_pod_log(self.services.client, pod, choose, query.lines)
        return show_log(execution_id, pod, log)


def find_pod(row: Row, attempt: int | None) -> KnownPod:
    """Find the Pod of an attempt, or of the newest that has one; raises Problem 404, or 409 before it has."""
    for pod in reversed([*list_known_pods(row["namespace"], row["attempts"])]):
        if attempt in (None, pod.attempt):
            return pod
    if row["status"] in OPEN_STATUSES:
        raise HTTPProblem(409, say("this run has no Pod yet; try again in a moment"))
    raise HTTPProblem(404, say("no Pod of this attempt is known"))


def choose_container(pod: JsonObject, wanted: str | None) -> str:
    """Choose the container that is wanted, else the first; raises Problem 404."""
    containers = list_containers(pod)
    if wanted not in (None, *containers):
        names = ", ".join(containers)
        raise HTTPProblem(404, say("the Pod has no container of that name; it has {names}", names=names))
    return wanted or containers[0]


def show_log(execution_id: UUID, pod: KnownPod, log: PodLog) -> ExecutionLog:
    """Show what was read from a node."""
    return ExecutionLog(
        execution_id=execution_id,
        attempt=pod.attempt,
        pod_name=pod.name,
        container=log.container,
        containers=list(log.containers),
        text=log.text,
        is_cut=log.is_shortened,
        is_stored=False,
    )


def show_tail(execution_id: UUID, pod: KnownPod, tail: Row, query: LogQuery) -> ExecutionLog:
    """Show what is kept of a log; raises Problem 404 where it is of another container."""
    container: str = tail["container"]
    if query.container not in (None, container):
        raise HTTPProblem(
            404, say("of this attempt only the log of container {name} is kept", name=container)
        )
    lines = LINES.findall(tail["log_text"])
    return ExecutionLog(
        execution_id=execution_id,
        attempt=pod.attempt,
        pod_name=pod.name,
        container=container,
        containers=[container],
        text="".join(lines[-query.lines :]),
        is_cut=tail["is_cut"] and len(lines) <= query.lines,
        is_stored=True,
    )


def translate(trouble: Exception) -> Exception:
    """Translate what reading a log led to."""
    if isinstance(trouble, PodGone):
        return HTTPProblem(404, GONE)
    cause = trouble.cause if isinstance(trouble, LogRefused) else trouble
    if isinstance(cause, ApiError) and cause.status == 400:
        return HTTPProblem(409, say("the log cannot be read: {message}", message=cause.message[:300]))
    return cause
