"""One process's operator: client, stores, watches and loops, from start to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from importlib import metadata
from typing import Any

import structlog
from kubernetes.aio.client import Configuration

from sundial_core.coordination.fence import FenceState
from sundial_core.coordination.replicas import ReplicaRecord
from sundial_core.decision.installation import Trust
from sundial_core.decision.retention import Limits, find_floors
from sundial_core.resources import names
from sundial_core.runs.manifests import Creator
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.leader_election import Elector, LeaseLock
from sundial_kube.login import load_configuration
from sundial_kube.permissions import find_missing
from sundial_kube.reflector import Reflector
from sundial_kube.relist import Relist
from sundial_kube.resources import JOBS, PODS, SCHEDULED_JOB_RUNS, SCHEDULED_JOBS, TASK_FUNCTIONS
from sundial_operator.clock import read_clock
from sundial_operator.health import Check, HealthServer, LoopLag, check_loops, check_news
from sundial_operator.inputs.installation_watch import CircumstanceWatch
from sundial_operator.inputs.relists import Relists
from sundial_operator.leading.fence_probe import FenceProbe
from sundial_operator.leading.membership import Membership, MemberSweep
from sundial_operator.leading.patch_refusals import PatchRefusals
from sundial_operator.metrics import Metrics
from sundial_operator.outputs.function_statuses import FunctionReports
from sundial_operator.outputs.write_queue import Writer
from sundial_operator.permissions import list_needed
from sundial_operator.reconcile.reconciler import Installation, Reconciler
from sundial_operator.settings import Settings

log = structlog.get_logger()

DRAIN_SECONDS = 10.0
STOP_SECONDS = 3.0
LOST = 3
"""The exit status of a process that lost the leadership."""

WAIT_SECONDS = 1.0
PERMISSION_SECONDS = 10.0
SETTLE_SECONDS = 1.0
"""How long a new leader waits after raising the term: longer than a refused or landing request takes."""


class StartError(Exception):
    """The operator cannot start; the text says what to do."""


class Runtime:
    """Starts and stops everything; `failed` is set when a part ends that must not.

    A standby keeps its stores warm and writes nothing; the leader decides.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exits = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._writer = Writer(settings.concurrent_writes)
        self._metrics = Metrics()
        self._lag = LoopLag()
        self._stage = Check(False, "starting")
        self._live: dict[str, Callable[[], Check]] = {
            "loop": self._lag.check,
            "watches": lambda: check_loops(self._followed, time.monotonic()),
        }
        self._ready: dict[str, Callable[[], Check]] = {
            "operator": lambda: self._stage,
            "watches": lambda: check_news(self._watches, time.monotonic()),
            "fence": self._check_fence,
        }
        self._elected = asyncio.Event()
        self._watches: list[Reflector] = []
        self._followed: list[Reflector] = []
        self._started_at = read_clock()
        self.instance = str(uuid.uuid4())
        self.failed = asyncio.Event()

    async def start(self) -> None:
        """Log in, list everything, then campaign; raises StartError, LoginError."""
        await self._serve_health()
        self._configuration = configuration = await load_configuration()
        self._elector = self._build_elector(configuration)
        self._client = await self._exits.enter_async_context(
            KubeClient(
                configuration,
                gate=self._elector.leadership.gate,
                user_agent="sundial-operator",
                observe_call=self._metrics.count_call,
                observe_status_patch=PatchRefusals(self._settings.forbidden_seconds, end_process).observe,
            )
        )
        settings = self._settings
        self._fence = FenceProbe(self._client, settings.installation, settings.namespace, self._read_term)
        self._circumstances = CircumstanceWatch(self._client, settings, self._wake_all)
        self._ready |= {"clock": self._circumstances.check_clock, "starts": self._circumstances.check_hold}
        self._reconciler = Reconciler(
            self._client,
            self._writer,
            self._metrics,
            Installation(settings, self._describe_creator, self._find_limits, self._circumstances.find),
        )
        self.stores = self._reconciler.observed
        await self._list_and_watch(self._client)
        self._watch_gauges()
        self._spawn(self._campaign())

    async def stop(self) -> None:
        """Stop deciding, let writes under way end, give the Lease back, close the connections."""
        for task in self._tasks:
            task.cancel()
        await self._writer.drain(DRAIN_SECONDS)
        if self._elected.is_set() or self._stage.ok:
            await asyncio.to_thread(self._elector.stop)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        await self._exits.aclose()

    async def _serve_health(self) -> None:
        server = HealthServer(
            self._metrics,
            live=self._live,
            ready=self._ready,
        )
        self._exits.push_async_callback(server.stop)
        try:
            await server.start(self._settings.health_host, self._settings.health_port)
        except OSError as error:
            raise StartError(
                f"cannot serve health at {self._settings.health_host}:{self._settings.health_port}: {error};"
                " set SUNDIAL_HEALTH_PORT to a free port, or to 0 for any"
            ) from error
        self._spawn(self._lag.run())

    def _build_elector(self, configuration: Configuration) -> Elector:
        loop = asyncio.get_running_loop()
        identity = f"{socket.gethostname()}_{self.instance}"
        return Elector(
            configuration,
            LeaseLock(self._settings.namespace, self._settings.release, identity),
            self._settings.timing,
            on_elected=lambda: loop.call_soon_threadsafe(self._elected.set),
            on_lost=end_process,
        )

    def _wake_all(self) -> None:
        self._reconciler.wake_all()

    def _build_membership(self) -> Membership:
        settings = self._settings
        member = ReplicaRecord(
            instance=self.instance,
            release=settings.release,
            installation=settings.installation,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            version=metadata.version("sundial"),
            started_at=self._started_at,
        )
        return Membership(self._configuration, member, settings.namespace, settings.member_seconds)

    def _read_term(self) -> int:
        return self._elector.leadership.term

    def _describe_creator(self) -> Creator:
        return Creator(self._settings.installation, self.instance, self._read_term())

    def _find_limits(self) -> Limits:
        """Find what of the installation's limits depends on the fence; it is probed again and again."""
        tombstone, capped = find_floors(self._fence.state, self._settings.tombstone_seconds)
        return Limits(tombstone, capped, self._settings.most_finished_jobs)

    async def _list_and_watch(self, client: KubeClient) -> None:
        ns = self._settings.watch_namespace or None
        selector = names.SCHEDULED_JOB_UID  # of any installation: what one has started, the next one adopts
        self._watches = [
            Reflector(client, SCHEDULED_JOBS, self.stores.schedules, ns=ns),
            Reflector(client, JOBS, self.stores.jobs, selector=selector, ns=ns),
            Reflector(client, PODS, self.stores.pods, selector=selector, ns=ns),
        ]
        self._own_kinds = [
            Reflector(client, TASK_FUNCTIONS, self.stores.functions, ns=ns),
            Reflector(client, SCHEDULED_JOB_RUNS, self.stores.asked, ns=ns),
        ]
        await self._list_all()
        gc.freeze()
        self._relists = Relists(
            [
                Relist(client, TASK_FUNCTIONS, self.stores.functions, ns),
                Relist(client, SCHEDULED_JOBS, self.stores.schedules, ns),
                Relist(client, SCHEDULED_JOB_RUNS, self.stores.asked, ns),
            ],
            self._metrics,
        )
        self._live["own kinds"] = self._relists.check
        self._followed = self._watches
        for watch in self._followed:
            self._spawn(watch.run())
        log.info("listed", schedules=len(self.stores.schedules), jobs=len(self.stores.jobs))

    async def _campaign(self) -> None:
        """Campaign once all is permitted; once elected, let an older leader's requests land, then decide."""
        await self._await_permissions()
        self._spawn(self._build_membership().run())
        await self._circumstances.learn()
        self._spawn(self._circumstances.run())
        self._stage = Check(True, "standing by")
        log.info("standing by", instance=self.instance, installation=self._settings.installation)
        self._elector.start()
        await asyncio.gather(self._await_election(), self._reconciler.plans.prepare())
        await self._list_all()
        self._stage = Check(True, f"leading in term {self._read_term()}")
        log.info("leading", term=self._read_term(), instance=self.instance)
        self._spawn_leading()
        await self._reconciler.run()

    async def _await_election(self) -> None:
        await self._elected.wait()
        await asyncio.sleep(SETTLE_SECONDS)

    async def _list_all(self) -> None:
        await asyncio.gather(*map(self._list, [*self._own_kinds, *self._watches]))

    async def _list(self, reflector: Reflector) -> None:
        """List a kind, as soon as we are let: an API server that begins forbids everything for a moment."""
        while not await try_list(reflector):
            await self._await_permissions()
            await asyncio.sleep(WAIT_SECONDS)

    def _spawn_leading(self) -> None:
        """Begin what only a leader does, besides deciding."""
        client, settings = self._client, self._settings
        sweep = MemberSweep(client, settings.namespace, settings.installation, settings.member_seconds)
        reports = FunctionReports(client, self._writer, self.stores.functions, self.stores.function_index)
        self._spawn(self._reconciler.agenda.run())
        self._spawn(self._reconciler.cap.run())
        self._spawn(self._reconciler.mirror.run())
        self._spawn(self._relists.run())
        self._spawn(self._fence.run())
        self._spawn(reports.run())
        self._spawn(sweep.run())

    async def _await_permissions(self) -> None:
        needed = list(list_needed(self._settings.namespace, self._settings.watch_namespace or None))
        while True:
            try:
                missing = await find_missing(self._client, needed)
            except (ApiError, ApiUnreachable) as error:
                log.warning("waiting for the API server", error=str(error))
                await asyncio.sleep(WAIT_SECONDS)
                continue
            if not missing:
                return
            said = ", ".join(map(str, missing))
            self._stage = Check(False, f"not permitted: {said}")
            log.error("not permitted, so not campaigning", missing=said)
            await asyncio.sleep(PERMISSION_SECONDS)

    def _watch_gauges(self) -> None:
        watch = self._metrics.watch
        watch("leader", lambda: float(self._elected.is_set()))
        watch("term", self._read_term)
        watch("clock_skew_seconds", lambda: self._client.clock.skew_seconds)
        find = self._circumstances.find
        watch("clock_trusted", lambda: float(find().trust is not Trust.UNTRUSTED))
        watch("held", lambda: float(bool(find().held_by)))
        watch("queue_depth", lambda: len(self._writer))
        watch("slow_namespaces", lambda: self._writer.slow_namespaces)
        watch("longest_start_wait_seconds", lambda: self._writer.longest_start_wait)
        watch("decisions_waiting", lambda: self._reconciler.waiting)
        watch("schedules_not_stored", lambda: self._reconciler.stopped)
        self._metrics.watch_restarts(lambda: sum(reflector.restarts for reflector in self._watches))
        watch("scheduled_jobs", lambda: len(self.stores.schedules))
        watch("jobs", lambda: len(self.stores.jobs))
        watch("finished_jobs", lambda: len(self.stores.finished))
        watch("doubtful_jobs", lambda: self._reconciler.doubtful)
        watch("schedules_awaiting_mirror", lambda: self._reconciler.mirror.waiting)
        watch("fence", lambda: float(self._fence.state is FenceState.OK))

    def _check_fence(self) -> Check:
        """Tell of the fence; without it an installation works too, so this never fails."""
        state = self._fence.state if self._elected.is_set() else FenceState.UNKNOWN
        return Check(True, state.value)

    def _spawn(self, loop: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(loop)
        task.add_done_callback(self._notice_end)
        self._tasks.append(task)

    def _notice_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("a part of the operator ended", error=repr(task.exception()))
            self.failed.set()


def end_process(reason: str) -> None:
    """End this process at once, from any thread: who has lost the Lease must not write any more."""
    log.error("lost the leadership", reason=reason)
    os._exit(LOST)


async def try_list(reflector: Reflector) -> bool:
    """List a kind of ours, waiting for an API server that is busy or starting; False when it is forbidden.

    Raises StartError where the cluster does not know the kind.
    """
    while True:
        try:
            await reflector.list_consistently()
        except ApiUnreachable as error:
            log.warning("waiting for the API server", error=str(error))
        except ApiError as error:
            if error.status == 404:
                raise StartError(
                    "this cluster does not know Sundial's custom resources: kubectl apply -f crds/"
                ) from error
            log.warning("waiting for the API server", error=str(error))
            if error.status in (401, 403):
                return False
        else:
            return True
        await asyncio.sleep(WAIT_SECONDS)
