"""Objects that an API server takes from a tenant, and nobody has written: of every kind that is mirrored.

The API server gives uid, namespace, resourceVersion and creationTimestamp; all else may say anything.
"""

from __future__ import annotations

import random
import uuid
from typing import Any

from testkit.mirror_facts import RUN_ID
from testkit.odd_statuses import INSTANTS, WORDS, draw, read_schema
from testkit.scheduled_jobs import TEMPLATE, UID, at, nest

from sundial_api.mirror.projection.batches import ObjectKind
from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

NS = "evil"
PLURALS = {
    ObjectKind.TASK_FUNCTION: "taskfunctions",
    ObjectKind.SCHEDULED_JOB: "scheduledjobs",
    ObjectKind.SCHEDULED_JOB_RUN: "scheduledjobruns",
}
SCHEMAS = {kind: read_schema(plural) for kind, plural in PLURALS.items()}
TEXTS = (
    *WORDS,
    *INSTANTS,
    UID,
    "\x00",
    "a\x00b",
    "😀",
    "x" * 5000,
    "9" * 400,
    "-1",
    "1e999",
    "NaN",
    "null",
    "password=hunter2",
    '{"sundial": 1, "result": {"a": "\\u0000", "\\ud800": "\\ud800"}}',
    '{"sundial": 1, "result": [1e400, NaN, 18446744073709551616]}',
    '{"sundial": 1, "result": [[[[]]]], "error": {}, "traceback": [], "task": [], "truncated": {}}',
    '{"sundial": 1, "error": "\\ud800", "task": {"id": "\\u0000"}, "truncated": ["\\u0000"]}',
    '{"sundial": 1, "result": ' + "[" * 500 + "]" * 500 + "}",
    "[" * 3000,
)
NUMBERS = (0, 1, -1, 7, 300, 2**31 - 1, -(2**31), 2**53, 2**63 - 1)
VALUES = (None, True, [], {}, nest(60), {"a\x00": "\x00"}, 2**63 - 1, -1.5e300, *TEXTS)
SCHEDULES = (
    {"interval": {"seconds": 1}},
    {"interval": {"weeks": 4000}, "startsAt": "0001-01-01T00:00:00Z"},
    {"cron": "@yearly"},
    {"cron": "* * * * * *", "timeZone": "Africa/Cairo", "dst": "Skip"},
    {"cronFields": {"minute": "*/5"}},
    {"at": "9999-12-31T23:59:59.999999999Z"},
    {"at": "2026-01-01T00:00:10.5+14:00"},
)


class Oddities:
    """Draws objects; some name the runs and ScheduledJobs of others, whose ids a tenant may know."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._version = 1000

    def draw(self) -> tuple[ObjectKind, JsonObject]:
        """Draw an object of any kind."""
        kind = self._dice.choice(list(ObjectKind))
        item: JsonObject = {"metadata": self._draw_metadata()}
        if kind in SCHEMAS:
            item |= {"spec": self._draw_spec(kind), "status": draw(SCHEMAS[kind], self._dice)}
            if kind is ObjectKind.SCHEDULED_JOB and self._dice.random() < 0.3:
                slots = SCHEMAS[kind]["properties"]["recentSlots"]["items"]
                item["status"]["recentSlots"] = [draw(slots, self._dice) for _ in range(25)]
        elif kind is ObjectKind.LEASE:
            item["spec"] = self._draw_some(
                holderIdentity=self._text, renewTime=self._instant, acquireTime=self._instant
            )
        elif kind is ObjectKind.JOB:
            item |= {"spec": self._draw_job_spec(), "status": self._draw_job_status()}
            if self._dice.random() < 0.4:
                self._make_credible(item)
        else:
            item |= {"spec": self._draw_some(nodeName=self._word), "status": self._draw_pod_status()}
            if self._dice.random() < 0.4:
                item["metadata"] |= self._draw_claim()
        return kind, item

    def _make_credible(self, item: JsonObject) -> None:
        """Let a Job prove by its name that it is an attempt of some run."""
        own = self._draw_claim()
        run, attempt = own["labels"][names.RUN], int(own["annotations"][names.ATTEMPT])
        item["metadata"] |= own | {"name": names.build_job_name("tick", run, attempt)}
        item["spec"]["template"] = {"metadata": {name: own[name] for name in ("labels", "annotations")}}

    def _draw_claim(self) -> JsonObject:
        """Draw the marks of an attempt of a run that is nobody else's."""
        run, owner = (str(uuid.UUID(int=self._dice.getrandbits(128))) for _ in range(2))
        odd = {name: self._text() for name in (names.ENDED, names.TIMEOUT, names.INSTANCE)}
        return {
            "labels": {names.RUN: run, names.TRIGGER: "manual", names.SCHEDULED_JOB_UID: owner},
            "annotations": odd | {names.ATTEMPT: self._dice.choice("12")},
            "ownerReferences": [{"uid": owner, "controller": True}],
        }

    def age(self, item: JsonObject) -> JsonObject:
        """Give an object with a newer resourceVersion."""
        self._version += 1
        return item | {"metadata": item["metadata"] | {"resourceVersion": str(self._version)}}

    def _draw_metadata(self) -> JsonObject:
        self._version += 1
        metadata = {
            "uid": str(uuid.UUID(int=self._dice.getrandbits(128))),
            "namespace": NS,
            "name": self._dice.choice(["tick", "odd", names.build_job_name("tick", RUN_ID, 1)]),
            "resourceVersion": str(self._version),
            "generation": self._dice.choice([1, 2, 2**63 - 1]),
            "creationTimestamp": format_instant(at(self._dice.choice([0, 5, 1000]))),
        }
        marks: Any = {
            "labels": self._draw_marks,
            "annotations": self._draw_annotations,
            "ownerReferences": self._draw_owners,
            "managedFields": self._draw_managers,
        }
        return metadata | self._draw_some(**marks)

    def _draw_marks(self) -> JsonObject:
        values = ["", "x", "schedule", "manual", "backfill", "1", "2", RUN_ID, UID, "true", "a" * 63]
        kinds = (names.SCHEDULED_JOB_UID, names.RUN, names.TRIGGER, names.MEMBER, names.ATTEMPT)
        return {name: self._dice.choice(values) for name in kinds if self._dice.random() < 0.8}

    def _draw_annotations(self) -> JsonObject:
        kinds = (
            *(names.ATTEMPT, names.RETRIES_USED, names.SCHEDULED_FOR, names.ENDED, names.ENDED_MESSAGE),
            *(names.TIMEOUT, names.CANCEL, names.INSTANCE, names.PAUSED, names.CREATED_BY, names.PID),
            *(names.STARTED_AT, names.HOSTNAME, names.VERSION, "sundial.dev/updated-by"),
        )
        drawn = {name: self._text() for name in kinds if self._dice.random() < 0.6}
        return drawn | ({names.ATTEMPT: self._dice.choice("12")} if self._dice.random() < 0.7 else {})

    def _draw_owners(self) -> list[JsonObject]:
        uid = self._dice.choice([UID, "x", str(uuid.UUID(int=self._dice.getrandbits(128)))])
        owner = {"uid": uid, "controller": self._dice.random() < 0.8, "kind": "ScheduledJob", "name": "tick"}
        return [owner] * self._dice.choice([0, 1, 1, 2])

    def _draw_managers(self) -> list[JsonObject]:
        return [
            self._draw_some(manager=self._word, time=self._instant, subresource=self._word)
            for _ in range(self._dice.choice([0, 1, 3]))
        ]

    def _draw_spec(self, kind: ObjectKind) -> JsonObject:
        if kind is ObjectKind.TASK_FUNCTION:
            handler = self._dice.choice(
                [{"container": {}}, {"celery": {"task": "a.b"}}, {"function": {"path": "a.b"}}, {"later": {}}]
            )
            return {"handler": handler, "parametersSchema": self._value()}
        if kind is ObjectKind.SCHEDULED_JOB_RUN:
            more: Any = {"scheduledFor": self._instant, "requestedBy": self._text, "reason": self._text}
            return {"scheduledJobName": "tick"} | self._draw_some(**more)
        spec = {"schedule": self._dice.choice(SCHEDULES), "template": TEMPLATE, "args": {"a": self._value()}}
        return spec | self._draw_some(description=self._text, timeoutSeconds=self._number)

    def _draw_job_spec(self) -> JsonObject:
        marked = {"metadata": {"labels": self._draw_marks(), "annotations": self._draw_annotations()}}
        return {"template": marked} | self._draw_some(activeDeadlineSeconds=self._number)

    def _draw_job_status(self) -> JsonObject:
        kinds = ["Complete", "Failed", "FailureTarget", "SuccessCriteriaMet", "Suspended", "odd"]
        more: Any = {"reason": self._text, "message": self._text, "lastTransitionTime": self._instant}
        conditions = [
            {"type": self._dice.choice(kinds), "status": "True"} | self._draw_some(**more)
            for _ in range(self._dice.choice([0, 1, 2]))
        ]
        counts: Any = dict.fromkeys(("active", "ready", "failed", "succeeded"), self._number)
        return {"conditions": conditions} | self._draw_some(startTime=self._instant, **counts)

    def _draw_pod_status(self) -> JsonObject:
        ended: Any = {
            "exitCode": self._number,
            "reason": self._text,
            "message": self._text,
            "startedAt": self._instant,
            "finishedAt": self._instant,
        }
        states = (
            lambda: {"terminated": self._draw_some(**ended)},
            lambda: {"running": self._draw_some(startedAt=self._instant)},
            lambda: {"waiting": self._draw_some(reason=self._text, message=self._text)},
            dict,
        )
        containers = [
            {"name": "main", "state": self._dice.choice(states)()}
            for _ in range(self._dice.choice([0, 1, 2]))
        ]
        phase: Any = {"phase": lambda: self._dice.choice(["Failed", "Succeeded", "Running", ""])}
        return {"containerStatuses": containers} | self._draw_some(**phase)

    def _draw_some(self, **fields: Any) -> JsonObject:
        return {name: field() for name, field in fields.items() if self._dice.random() < 0.7}

    def _text(self) -> str:
        return self._dice.choice(TEXTS)

    def _word(self) -> str:
        return self._dice.choice(WORDS)

    def _instant(self) -> str:
        return self._dice.choice(INSTANTS)

    def _number(self) -> int:
        return self._dice.choice(NUMBERS)

    def _value(self) -> Any:
        return self._dice.choice(VALUES)
