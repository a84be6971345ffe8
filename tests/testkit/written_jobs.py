"""ScheduledJobs as kubectl, Helm, Argo CD and Flux write them, and as they are stored; for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from testkit.scheduled_jobs import TEMPLATE, UID, nest

from sundial_core.resources import names

JsonObject = dict[str, Any]

FUNCTIONS = ("clean-up", "deleted", "never-was")
"""What jobs refer to: one that is there, one that was, and one that never was."""

MARKS = (
    {},
    {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"spec": {}}\n'}},
    {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "a"}},
    {"labels": {"app.kubernetes.io/instance": "apps"}},
    {"annotations": {"argocd.argoproj.io/tracking-id": "apps:sundial.dev/ScheduledJob:team/tick"}},
    {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
)
PAUSES = ("true", "false", "", "tomorrow", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00+02:00")
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 1, -0.0, 1.0, 2**53 + 1, 1e300, -1.5e300, 5e-324]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.sampled_from(["\x00", "a\x00b", ""]))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner))
ARGS = st.dictionaries(TEXTS, VALUES, max_size=4) | st.sampled_from([{}, {"deep": nest(100)}])

PERIODS = ("weeks", "days", "hours", "minutes", "seconds")
INSTANTS = st.sampled_from(
    ["2026-12-01T08:00:00Z", "2020-01-01T00:00:00.5+02:00", "9999-12-31T23:59:59Z", "2026-01-01t00:00:00z"]
)
INTERVALS = st.dictionaries(st.sampled_from(PERIODS), st.integers(0, 5000), max_size=5).filter(
    lambda interval: any(interval.values())
)
CRON_FIELDS = st.dictionaries(
    st.sampled_from(["second", "minute", "hour", "dayOfWeek"]),
    st.integers(0, 6) | st.sampled_from(["*/5", "1-3", "05"]),
    min_size=1,
)
KINDS = st.one_of(
    st.fixed_dictionaries({"interval": INTERVALS}, optional={"anchor": INSTANTS}),
    st.fixed_dictionaries({"cronFields": CRON_FIELDS}),
    st.fixed_dictionaries({"cron": st.sampled_from(["0 9 * * 1-5", "@daily", "H 3 * * *"])}),
    st.fixed_dictionaries({"at": INSTANTS}),
)
WINDOWS = st.fixed_dictionaries(
    {},
    optional={
        "timeZone": st.sampled_from(["UTC", "Africa/Cairo"]),
        "dst": st.sampled_from(["Once", "Literal"]),
        "startsAt": st.just("2026-01-01T00:00:00Z"),
        "endsAt": st.just("2026-02-01T00:00:00Z"),
    },
)
SCHEDULES = st.builds(lambda kind, window: kind | window, KINDS, WINDOWS)
WORK = st.sampled_from([{"template": TEMPLATE}, *({"taskFunctionRef": {"name": name}} for name in FUNCTIONS)])
SPECS = st.builds(
    lambda work, rest: work | rest,
    WORK,
    st.fixed_dictionaries(
        {"schedule": SCHEDULES},
        optional={
            "displayName": st.text(st.characters(exclude_categories=["Cs"]), min_size=2, max_size=200),
            "description": st.text(st.characters(exclude_categories=["Cs"]), max_size=1000),
            "suspend": st.booleans(),
            "args": ARGS,
            "concurrency": st.fixed_dictionaries({}, optional={"maxInstances": st.integers(1, 100)}),
            "timeoutSeconds": st.integers(1, 604_800),
            "retry": st.fixed_dictionaries(
                {}, optional={"count": st.integers(0, 10), "delaySeconds": st.integers(0, 3600)}
            ),
        },
    ),
)


def _build(spec: JsonObject, marks: JsonObject, pause: str | None) -> JsonObject:
    annotations = marks.get("annotations", {}) | ({} if pause is None else {names.PAUSED: pause})
    metadata = {
        "uid": UID,
        "resourceVersion": "20",
        "namespace": "team",
        "name": "tick",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return {"metadata": metadata | marks | {"annotations": annotations}, "spec": spec, "status": {}}


WRITTEN = st.builds(_build, SPECS, st.sampled_from(MARKS), st.none() | st.sampled_from(PAUSES))
"""Any ScheduledJob, as it is stored."""
