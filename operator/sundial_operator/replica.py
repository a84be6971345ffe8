"""One process of an installation: it keeps its stores warm, campaigns, and leads once it is elected."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import metadata
from typing import Any

import structlog
from kubernetes.aio.client import Configuration

from sundial_core.coordination.fence import FenceState
from sundial_core.coordination.replica_record import LeaderStanding, ReplicaRecord
from sundial_core.decision.installation import Trust
from sundial_core.decision.job_deletions import Limits, compute_floors
from sundial_core.resources import names
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.login import load_configuration
from sundial_kube.permissions import list_missing
from sundial_kube.reflector import Reflector
from sundial_kube.relist import Relist
from sundial_kube.resources import JOBS, PODS, SCHEDULED_JOB_RUNS, SCHEDULED_JOBS, TASK_FUNCTIONS
from sundial_operator.clock import read_clock
from sundial_operator.health import Check, Health, check_loops, check_news, serve_health
from sundial_operator.inputs.installation_watch import InstallationWatch
from sundial_operator.inputs.relists import Relists
from sundial_operator.inputs.stores import Stores
from sundial_operator.leader import Leader
from sundial_operator.leading.campaign import Campaign, end_process
from sundial_operator.leading.fence_probe import FenceProbe
from sundial_operator.leading.patch_refusals import PatchRefusals
from sundial_operator.metrics import Metrics
from sundial_operator.outputs.write_queue import WriteQueue
from sundial_operator.permissions import list_needed, list_optional
from sundial_operator.reconcile.reconciler import Installation, Reconciler
from sundial_operator.replica_lease import ReplicaLease
from sundial_operator.settings import OperatorSettings

log = structlog.get_logger()

DRAIN_SECONDS = 10.0
STOP_SECONDS = 3.0
WAIT_SECONDS = 1.0
PERMISSION_SECONDS = 10.0


class StartError(Exception):
    """The operator cannot start; the text says what to do."""


@asynccontextmanager
async def open_replica(settings: OperatorSettings) -> AsyncIterator[Replica]:
    """Serve health, log in, and give everything back at the end; raises StartError, LoginError."""
    metrics, health = Metrics(), Health()
    async with AsyncExitStack() as exits:
        try:
            await exits.enter_async_context(serve_health(settings, metrics, health))
        except OSError as error:
            raise StartError(
                f"cannot serve health at {settings.health_host}:{settings.health_port}: {error};"
                " set SUNDIAL_HEALTH_PORT to a free port, or to 0 for any"
            ) from error
        configuration = await load_configuration()
        campaign = Campaign(settings, configuration)
        client = KubeClient(
            configuration,
            gate=campaign.gate,
            user_agent="sundial-operator",
            observe_call=metrics.count_call,
            observe_status_patch=PatchRefusals(settings.forbidden_seconds, end_process).observe,
        )
        lease = build_own_lease(settings, configuration, campaign.instance)
        await exits.enter_async_context(client)
        replica = Replica(settings, client, campaign, lease, metrics, health)
        exits.push_async_callback(replica.stop)
        yield replica


def build_own_lease(settings: OperatorSettings, configuration: Configuration, instance: str) -> ReplicaLease:
    """Build the Lease by which this replica is known."""
    record = ReplicaRecord(
        instance=instance,
        release=settings.release,
        installation=settings.installation,
        hostname=socket.gethostname(),
        pid=os.getpid(),
        version=metadata.version("sundial"),
        started_at=read_clock(),
    )
    return ReplicaLease(configuration, record, settings.namespace, settings.member_seconds)


class Replica:
    """A standby keeps its stores warm and writes nothing; the leader decides.

    `failed` is set when a part ends that must not.
    """

    def __init__(
        self,
        settings: OperatorSettings,
        client: KubeClient,
        campaign: Campaign,
        lease: ReplicaLease,
        metrics: Metrics,
        health: Health,
    ) -> None:
        self._settings = settings
        self._client = client
        self._campaign = campaign
        self._lease = lease
        self._metrics = metrics
        self._health = health
        self._tasks: list[asyncio.Task[None]] = []
        self._writer = WriteQueue(settings.concurrent_writes)
        self._fence = FenceProbe(client, settings, lambda: campaign.term)
        self._installation_state = InstallationWatch(client, settings, self._enqueue_all)
        self._reconciler = Reconciler(
            client,
            self._writer,
            metrics,
            Installation(
                settings,
                campaign.describe_creator,
                self._compute_limits,
                self._installation_state.compute_state,
            ),
        )
        self.stores = stores = self._reconciler.observed
        watched: Sequence[str | None] = settings.watch_namespaces or (None,)
        self._watches = [watch for ns in watched for watch in _build_watches(client, stores, ns)]
        self._few_kinds = [watch for ns in watched for watch in _build_few_watches(client, stores, ns)]
        self._followed: list[Reflector] = []
        relists = [relist for ns in watched for relist in _build_relists(client, stores, ns)]
        self._relists = Relists(relists, metrics)
        self._leader = Leader(client, settings, self._writer, self._reconciler, self._fence, self._relists)
        self.failed = asyncio.Event()
        self._add_checks()
        self._watch_gauges()

    async def start(self) -> None:
        """List everything, follow it, then campaign; raises StartError."""
        await self._list_all()
        gc.freeze()
        self._followed += self._watches
        for watch in self._watches:
            self._spawn(watch.run())
        log.info("listed", schedules=len(self.stores.schedules), jobs=len(self.stores.jobs))
        self._spawn(self._run_campaign())

    async def stop(self) -> None:
        """Stop deciding, let writes under way end, give the Lease back."""
        for task in self._tasks:
            task.cancel()
        await self._writer.drain(DRAIN_SECONDS)
        await self._campaign.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)

    async def _run_campaign(self) -> None:
        """Campaign once all is permitted; once elected, list again, then lead."""
        await self._await_permissions()
        await self._tell_optional()
        self._spawn(self._lease.run(self._describe_standing))
        await self._installation_state.learn()
        self._spawn(self._installation_state.run())
        self._health.stage = Check(True, "standing by")
        instance = self._campaign.instance
        log.info("standing by", instance=instance, installation=self._settings.installation)
        self._campaign.start()
        await asyncio.gather(self._campaign.wait_elected(), self._reconciler.plans.prepare())
        await self._list_all()
        self._health.stage = Check(True, f"leading in term {self._campaign.term}")
        log.info("leading", term=self._campaign.term, instance=instance)
        await self._leader.lead()

    async def _list_all(self) -> None:
        await asyncio.gather(*map(self._list, [*self._few_kinds, *self._watches]))

    async def _list(self, reflector: Reflector) -> None:
        """List a kind, as soon as we are let: an API server that begins forbids everything for a moment."""
        while not await try_list(reflector):
            await self._await_permissions()
            await asyncio.sleep(WAIT_SECONDS)

    async def _await_permissions(self) -> None:
        settings = self._settings
        needed = list(list_needed(settings.namespace, settings.release, settings.watch_namespaces))
        while True:
            try:
                missing = await list_missing(self._client, needed)
            except (ApiError, ApiUnreachable) as error:
                log.warning("waiting for the API server", error=str(error))
                await asyncio.sleep(WAIT_SECONDS)
                continue
            if not missing:
                return
            said = ", ".join(map(str, missing))
            stage = Check(False, f"not permitted: {said}")
            if stage != self._health.stage:
                log.error("not permitted, so not campaigning", missing=said)
            self._health.stage = stage
            await asyncio.sleep(PERMISSION_SECONDS)

    async def _tell_optional(self) -> None:
        """Say what is not permitted and hinders nobody from leading."""
        if not self._settings.runner_config_maps:
            return
        try:
            missing = await list_missing(self._client, list_optional(self._settings.watch_namespaces))
        except (ApiError, ApiUnreachable) as error:
            log.warning("asking for permissions failed", error=str(error))
            return
        if missing:
            said = ", ".join(map(str, missing))
            log.warning("not permitted; functions and Celery tasks may lack the runner", missing=said)

    def _enqueue_all(self) -> None:
        self._reconciler.enqueue_all()

    def _compute_limits(self) -> Limits:
        """Find what of the installation's limits depends on the fence; it is probed again and again."""
        tombstone, capped = compute_floors(self._fence.state, self._settings.tombstone_seconds)
        return Limits(tombstone, capped, self._settings.most_finished_jobs)

    def _describe_standing(self) -> LeaderStanding | None:
        """Describe what only the leader knows of the installation; None where this replica does not lead."""
        if not self._campaign.is_elected:
            return None
        hold = self._installation_state.compute_state().find_hold()
        by, until = (hold.by, hold.until) if hold is not None else ("", "")
        return LeaderStanding(self._campaign.term, self._fence.state.value, by, until)

    def _add_checks(self) -> None:
        self._health.live |= {
            "watches": lambda: check_loops(self._followed, time.monotonic()),
            "own kinds": self._relists.check,
        }
        self._health.ready |= {
            "watches": lambda: check_news(self._watches, time.monotonic()),
            "fence": self._check_fence,
            "clock": self._installation_state.check_clock,
            "starts": self._installation_state.check_hold,
        }

    def _check_fence(self) -> Check:
        """Tell of the fence; without it an installation works too, so this never fails."""
        state = self._fence.state if self._campaign.is_elected else FenceState.UNKNOWN
        return Check(True, state.value)

    def _watch_gauges(self) -> None:
        watch = self._metrics.watch
        watch("leader", lambda: float(self._campaign.is_elected))
        watch("term", lambda: self._campaign.term)
        watch("clock_skew_seconds", lambda: self._client.clock.skew_seconds)
        compute_state = self._installation_state.compute_state
        watch("clock_trusted", lambda: float(compute_state().trust is not Trust.UNTRUSTED))
        watch("held", lambda: float(bool(compute_state().starts_held_by)))
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
        watch("other_installations", lambda: self._reconciler.rivals)
        watch("schedules_awaiting_mirror", lambda: self._reconciler.mirror.waiting)
        watch("fence", lambda: float(self._fence.state is FenceState.OK))

    def _spawn(self, loop: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(loop)
        task.add_done_callback(self._notice_end)
        self._tasks.append(task)

    def _notice_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("a part of the operator ended", error=repr(task.exception()))
            self.failed.set()


def _build_watches(client: KubeClient, stores: Stores, ns: str | None) -> list[Reflector]:
    selector = names.SCHEDULED_JOB_UID  # of any installation: what one has started, the next one adopts
    return [
        Reflector(client, SCHEDULED_JOBS, stores.schedules, ns=ns),
        Reflector(client, JOBS, stores.jobs, selector=selector, ns=ns),
        Reflector(client, PODS, stores.pods, selector=selector, ns=ns),
    ]


def _build_few_watches(client: KubeClient, stores: Stores, ns: str | None) -> list[Reflector]:
    """Build what lists the kinds that kopf then watches."""
    return [
        Reflector(client, TASK_FUNCTIONS, stores.functions, ns=ns),
        Reflector(client, SCHEDULED_JOB_RUNS, stores.run_requests, ns=ns),
    ]


def _build_relists(client: KubeClient, stores: Stores, ns: str | None) -> list[Relist]:
    """List again what comes by few events: nothing else shows that a watch has lost one."""
    return [
        Relist(client, TASK_FUNCTIONS, stores.functions, ns),
        Relist(client, SCHEDULED_JOBS, stores.schedules, ns),
        Relist(client, SCHEDULED_JOB_RUNS, stores.run_requests, ns),
    ]


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
