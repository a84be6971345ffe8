"""The simulated cluster, its operator, and a mirror of it into a real Postgres, in any order of events.

Each watch tells its kind in order, and how far it is beside the other is open. An outage ends the session; of
what the cluster does meanwhile the lists of the next session tell. The operator deletes Jobs by what the
mirror has said is committed.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_sessions import EPOCH, Session
from testkit.scheduled_jobs import UID, build_spec
from testkit.simulation.cluster import Cluster
from testkit.simulation.process import Process

from sundial_api.mirror.projection.batches import ObjectKind
from sundial_core.coordination.mirror_progress import NOTHING, Mirrored
from sundial_core.decision.job_deletions import Limits
from sundial_core.resources import names

LIMITS = Limits(tombstone=timedelta(seconds=1), mirrored=NOTHING)
OTHERS = [kind for kind in ObjectKind if kind not in (ObjectKind.SCHEDULED_JOB, ObjectKind.JOB)]
POLICIES = ("Allow", "Forbid", "Queue", "Replace")


class MirroredWorld:
    """Plays a story, and lets it end well."""

    def __init__(self, connection: AsyncConnection, seed: int) -> None:
        self._dice = dice = random.Random(seed)
        self._connection = connection
        spec = build_spec(
            schedule={"interval": {"seconds": dice.choice([1, 2])}},
            concurrency={"policy": dice.choice(POLICIES), "maxInstances": dice.choice([1, 2])},
            history={"successful": dice.choice([0, 1, 3]), "failed": 1},
        )
        self.cluster = Cluster(spec)
        self.process = Process(self.cluster)
        self.process.limits = LIMITS
        self._session: Session | None = None
        self._known: dict[str, str] = {}
        self._seen = ""

    async def play(self, steps: int) -> None:
        """Play a story: the mirror keeps up, lags, is away, and comes again."""
        moves = [self._advance, self._tell, self._write, self._beat, self._plan_jobs, self._fail]
        weights = [8, 8, 8, 3, 1, 0.6]
        for _ in range(steps):
            if self._session is None:
                await self._begin_session()
            await self._dice.choices(moves, weights)[0]()

    async def end_well(self) -> None:
        """Suspend, let everything end, and let the mirror hear and write all of it."""
        self.cluster.write_user_change(self.cluster.item["spec"] | {"suspend": True})
        for _ in range(6):
            self._pass(10)
            if self._session is None:
                await self._begin_session()
            assert self._session is not None
            for kind in (ObjectKind.SCHEDULED_JOB, ObjectKind.JOB):
                self._session.tell(kind, 10_000)
                self._session.watches[kind].resource_version = self.cluster.version
            while len(self._session.feed) or not self._session.rows.is_synced:
                await self._write()
            await self._write()
            await self._beat()

    async def find_differences(self) -> list[str]:
        """Find what the rows do not have of what became of every slot."""
        status = self.cluster.item["status"]
        verdicts = (status.get("counters") or {}).get("verdicts") or {}
        others = (sum((verdicts.get(name) or {}).values()) for name in ("skipped", "missed"))
        decided = verdicts.get("started", 0) + sum(others)
        runs = {str(row.id): (row.status, row.reason) for row in await self._read(_RUNS)}
        (counted,) = await self._read(_SLOTS)
        found = [] if decided == len(runs) + counted.slots else [f"{len(runs)}+{counted.slots} of {decided}"]
        for slot, name in self.cluster.made_slots.items():
            wanted = "success" if self.cluster.results.get(name) == "Succeeded" else "failed"
            shown, reason = runs.get(names.build_run_id(UID, slot), (None, None))
            if shown != wanted or reason == "OutcomeUnknown":
                found.append(f"{slot}: {shown} ({reason}) instead of {wanted}")
        return found

    async def count_unseen(self) -> int:
        """Count the slots of which only their number is known."""
        query = "SELECT coalesce(sum(count), 0) AS slots FROM scheduler_slots WHERE verdict = 'NotMirrored'"
        return int((await self._read(query))[0].slots)

    async def _read(self, query: str) -> list[Any]:
        async with self._connection.begin():
            return list(await self._connection.execute(text(query)))

    async def _begin_session(self) -> None:
        """List our own kinds, then Jobs, then the rest; time passes between the lists."""
        self._session = session = Session(self._connection)
        await session.transactions.enter()
        session.list(ObjectKind.SCHEDULED_JOB, [self.cluster.item], self.cluster.version)
        self._seen = self.cluster.item["metadata"]["resourceVersion"]
        self._known = {}
        while self._dice.random() < 0.5:
            self._pass(self._dice.choice([0.3, 1, 4]))
            session.tell(ObjectKind.SCHEDULED_JOB, self._dice.choice([0, 1, 100]))
            await session.rows.write(session.feed)
        session.watches[ObjectKind.JOB].events.clear()
        session.list(ObjectKind.JOB, list(self.cluster.jobs.values()), self.cluster.version)
        self._known = {job["metadata"]["name"]: _version(job) for job in self.cluster.jobs.values()}
        for kind in OTHERS:
            session.list(kind, [], self.cluster.version)

    async def _advance(self) -> None:
        self._pass(self._dice.choice([0.3, 1, 1, 2.5]))

    async def _tell(self) -> None:
        if self._session is not None:
            kind = self._dice.choice([ObjectKind.SCHEDULED_JOB, ObjectKind.JOB])
            self._session.tell(kind, self._dice.choice([1, 2, 100]))

    async def _write(self) -> None:
        if self._session is not None:
            await self._session.rows.write(self._session.feed)

    async def _beat(self) -> None:
        """Say what is committed; the operator hears of it."""
        if self._session is None or not self._session.rows.is_synced:
            return
        await self._session.rows.close_gaps(EPOCH)
        marks = self._session.rows.marks
        # There are no Pods in this world: of them the watch has bookmarks only.
        jobs = marks.get(ObjectKind.JOB, 0)
        mirrored = Mirrored(jobs, pods=jobs)
        self.process.limits = replace(LIMITS, mirrored=mirrored)

    async def _plan_jobs(self) -> None:
        self.cluster.job_seconds = self._dice.choice([0.5, 1, 4])
        self.cluster.job_result = self._dice.choice(["Complete", "Complete", "Failed"])

    async def _fail(self) -> None:
        """Lose the session, and what it had heard and not written; nothing is mirrored for a while."""
        self._session = None
        self._pass(self._dice.choice([2, 15, 40]))

    def _pass(self, seconds: float) -> None:
        """Let time pass, and the watches note what has happened."""
        self.process.pass_time(seconds)
        session = self._session
        if session is None:
            return
        told = session.watches[ObjectKind.SCHEDULED_JOB].events
        if self._seen != _version(self.cluster.item):
            self._seen = _version(self.cluster.item)
            told.append(("MODIFIED", dict(self.cluster.item)))
        self._note_jobs(session.watches[ObjectKind.JOB].events)

    def _note_jobs(self, events: deque[tuple[str, dict[str, Any]]]) -> None:
        now = {job["metadata"]["name"]: job for job in self.cluster.jobs.values()}
        changed = [job for name, job in now.items() if self._known.get(name) != _version(job)]
        gone = [self.cluster.gone[name] for name in self._known if name not in now]
        news = [("MODIFIED", dict(job)) for job in changed] + [("DELETED", job) for job in gone]
        events.extend(sorted(news, key=lambda event: int(_version(event[1]))))
        self._known = {name: _version(job) for name, job in now.items()}


def _version(item: dict[str, Any]) -> str:
    return str(item["metadata"]["resourceVersion"])


_RUNS = "SELECT id, status, reason FROM scheduled_job_executions WHERE triggered_by = 'scheduler'"
_SLOTS = "SELECT coalesce(sum(count), 0) AS slots FROM scheduler_slots"
