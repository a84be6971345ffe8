"""What runs while things break: namespaces, schedules of every policy, and objects that are poison."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from testkit.processes.operators import JsonObject, build_scheduled_job, build_template
from testkit.processes.webhooks import LABEL as SLOW_LABEL

STEADY, TIGHT, FLEETING, POISONED = "chaos-steady", "chaos-tight", "chaos-fleeting", "chaos-poisoned"
"""Left alone; given quotas; deleted and made again; full of objects that are wrong."""

EDITED, REFUSED, HEALTHY = "chaos-edited", "chaos-refused", "chaos-healthy"
"""Full of schedules that users change; of those whose statuses are refused; where lateness is measured."""

SLOW = tuple(f"chaos-slow-{number}" for number in range(10))
"""Where a webhook takes its time over each Job, now and then."""

NAMESPACES = (STEADY, TIGHT, FLEETING, POISONED, EDITED, REFUSED, HEALTHY, *SLOW)
WEBHOOK = "chaos"
HISTORY = {"successful": 1, "failed": 1}
NEVER = "chaos-never-runs"
FAILS = {"devcluster.local/simulate": "Failed"}


PAUSED, PAUSED_UNTIL = ("paused-annotate", "paused-json", "paused-merge"), ("paused-until",)
"""The schedules that are paused: until the pause is taken away, by each way to do so, or for some time."""

TOUCHED, HASTENED, REWRITTEN, REPLACED = "touched", "hastened", "rewritten", "replaced"
"""Edited without a meaning; its interval; its kind of schedule; its TaskFunction."""

BROKEN = ("broken-zone", "broken-function")
FUNCTION = "work"
REFUSING = "chaos-statuses"
SLOW_SCHEDULES = 20


def build_namespace(ns: str) -> JsonObject:
    """Build a namespace."""
    labels = {SLOW_LABEL: WEBHOOK} if ns in SLOW else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns, "labels": labels}}


def build_schedules(ns: str) -> list[JsonObject]:
    """Build the ScheduledJobs of a namespace, and what they need."""
    builders = {
        STEADY: _build_steady,
        TIGHT: _build_tight,
        FLEETING: _build_fleeting,
        POISONED: _build_healthy,
        EDITED: _build_edited,
        REFUSED: _build_refused,
        HEALTHY: _build_measured,
    }
    return [_put_into(ns, one) for one in builders[ns]()] if ns in builders else []


def _build_steady() -> list[JsonObject]:
    return [
        _every(1, "allow", concurrency={"policy": "Allow"}),
        _at_seconds(
            2, "cron-all", concurrency={"policy": "Allow"}, catchUp={"policy": "All", "maxRuns": 100}
        ),
        _every(1, "forbid", takes="2.5s"),
        _every(2, "queue", takes="2.5s", concurrency={"policy": "Queue", "maxQueued": 3}),
        _every(3, "replace", takes="4s", concurrency={"policy": "Replace"}),
        _every(2, "forbid-two", takes="3s", concurrency={"policy": "Forbid", "maxInstances": 2}),
        _every(2, "none", concurrency={"policy": "Allow"}, catchUp={"policy": "None", "graceSeconds": 5}),
        _every(4, "latest", catchUp={"policy": "Latest", "graceSeconds": 5}),
        _every(6, "failing", fails=True, concurrency={"policy": "Allow"}, retry=_retry(2, 1)),
        _at_seconds(4, "failing-forbid", fails=True, retry=_retry(1, 0)),
    ]


def _build_tight() -> list[JsonObject]:
    return [
        _every(2, "allow", concurrency={"policy": "Allow"}),
        _every(2, "none", concurrency={"policy": "Allow"}, catchUp={"policy": "None", "graceSeconds": 5}),
        _at_seconds(3, "all", concurrency={"policy": "Allow"}, catchUp={"policy": "All", "graceSeconds": 5}),
        _every(3, "forbid"),
    ]


def _build_fleeting() -> list[JsonObject]:
    return [
        _every(2, "allow", concurrency={"policy": "Allow"}),
        _every(4, "failing", fails=True, retry=_retry(1, 1)),
    ]


def _build_healthy() -> list[JsonObject]:
    return [_every(2, "healthy", concurrency={"policy": "Allow"})]


def _build_edited() -> list[JsonObject]:
    function = {"name": FUNCTION}
    return [
        build_function(),
        *[_every(4, name, concurrency={"policy": "Allow"}) for name in (*PAUSED, *PAUSED_UNTIL)],
        *[_every(4, name, concurrency={"policy": "Allow"}) for name in (TOUCHED, HASTENED, REWRITTEN)],
        _at_seconds(4, BROKEN[0], concurrency={"policy": "Allow"}),
        _every(4, BROKEN[1], concurrency={"policy": "Allow"}),
        build_scheduled_job(
            REPLACED,
            {"interval": {"seconds": 3}},
            taskFunctionRef=function,
            history=HISTORY,
            concurrency={"policy": "Queue", "maxQueued": 3},
        ),
    ]


def _build_refused() -> list[JsonObject]:
    schedules = [_every(2, "allow", concurrency={"policy": "Allow"}), _every(5, "forbid")]
    for one in schedules:
        one["metadata"]["labels"] = {REFUSING: "refused"}
    return schedules


def _build_measured() -> list[JsonObject]:
    return [_every(seconds, f"every-{seconds}", concurrency={"policy": "Allow"}) for seconds in (1, 2)]


def build_function() -> JsonObject:
    """Build the TaskFunction that is replaced now and then: its runs overlap, so slots wait."""
    template = build_template(["true"], **{"pod-complete.stage.kwok.x-k8s.io/delay": "4s"})
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "TaskFunction",
        "metadata": {"name": FUNCTION, "namespace": EDITED},
        "spec": {"handler": {"container": {}}, "template": template},
    }


def build_slow(round_: int, namespaces: Sequence[str], ends_at: datetime) -> list[JsonObject]:
    """Build schedules that are all due at the same instants, for a while."""
    schedule = {"cron": "*/4 * * * * *", "endsAt": ends_at.replace(microsecond=0).isoformat()}
    return [
        _put_into(
            namespaces[number % len(namespaces)],
            _build(schedule, f"slow-{round_}-{number}", "0.5s", {}, {"concurrency": {"policy": "Allow"}}),
        )
        for number in range(SLOW_SCHEDULES)
    ]


def build_refusal(reason: str) -> list[JsonObject]:
    """Build what has the API server refuse all statuses of marked ScheduledJobs, for a reason."""
    api = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": REFUSING}}
    rule = {
        "apiGroups": ["sundial.dev"],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": ["scheduledjobs/status"],
    }
    selector = {"matchLabels": {REFUSING: "refused"}}
    policy = {
        "matchConstraints": {"resourceRules": [rule], "objectSelector": selector},
        "validations": [{"expression": "false", "message": "statuses are refused", "reason": reason}],
    }
    binding = {"policyName": REFUSING, "validationActions": ["Deny"]}
    return [
        api | {"kind": "ValidatingAdmissionPolicy", "spec": policy},
        api | {"kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]


def build_poison(round_: int) -> list[JsonObject]:
    """Build ScheduledJobs that the API server takes and that can never run."""
    bad: dict[str, JsonObject] = {
        "cron": build_scheduled_job("x", {"cron": "61 * * * *"}),
        "zone": build_scheduled_job("x", {"cron": "0 9 * * *", "timeZone": "right/Europe/Berlin"}),
        "args": build_scheduled_job("x", {"interval": {"seconds": 1}}, args={"data": "x" * 200_000}),
        "function": build_scheduled_job(
            "x", {"interval": {"seconds": 1}}, taskFunctionRef={"name": "nobody"}
        ),
        "never": build_scheduled_job("x", {"cron": "0 0 30 2 *"}),
        "template": _every(2, "x"),
    }
    del bad["template"]["spec"]["template"]["spec"]["template"]["spec"]["containers"][0]["image"]
    return [
        manifest | {"metadata": {"name": f"{name}-{round_}", "namespace": POISONED, "labels": _mark(name)}}
        for name, manifest in bad.items()
    ]


def _mark(name: str) -> dict[str, str]:
    """Mark what has no slots that count; one with a bad template has, and they are skipped."""
    return {} if name == "template" else {NEVER: "true"}


def build_request(name: str, scheduled_job: str) -> JsonObject:
    """Build a ScheduledJobRun: somebody asks for a run of a schedule of the steady namespace."""
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJobRun",
        "metadata": {"name": name, "namespace": STEADY},
        "spec": {"scheduledJobName": scheduled_job, "requestedBy": "chaos"},
    }


def build_quota(limits: dict[str, str]) -> JsonObject:
    """Build a quota of the tight namespace."""
    metadata = {"name": "chaos", "namespace": TIGHT}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": limits}}


def _put_into(ns: str, manifest: JsonObject) -> JsonObject:
    return manifest | {"metadata": {**manifest["metadata"], "namespace": ns}}


def _every(seconds: int, name: str, *, takes: str = "0.5s", fails: bool = False, **spec: Any) -> JsonObject:
    return _build({"interval": {"seconds": seconds}}, name, takes, FAILS if fails else {}, spec)


def _at_seconds(step: int, name: str, *, takes: str = "0.5s", fails: bool = False, **spec: Any) -> JsonObject:
    return _build({"cron": f"*/{step} * * * * *"}, name, takes, FAILS if fails else {}, spec)


def _build(
    schedule: JsonObject, name: str, takes: str, annotations: dict[str, str], spec: JsonObject
) -> JsonObject:
    delay = {"pod-complete.stage.kwok.x-k8s.io/delay": takes}
    template = build_template(["true"], **delay, **annotations)
    return build_scheduled_job(name, schedule, template=template, history=HISTORY, **spec)


def _retry(count: int, seconds: int) -> JsonObject:
    return {"count": count, "delaySeconds": seconds}
