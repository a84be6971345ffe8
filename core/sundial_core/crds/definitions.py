"""The four CustomResourceDefinitions as values: names and columns around the models' schemas."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import BaseModel

from sundial_core.crds.job_template import narrow_template
from sundial_core.crds.structural import build_schema
from sundial_core.resources.cel import Rule, RuleScope, validations
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.specs import (
    LeaderTermSpec,
    ScheduledJobRunSpec,
    ScheduledJobSpec,
    TaskFunctionSpec,
)
from sundial_core.resources.statuses import ScheduledJobRunStatus, ScheduledJobStatus, TaskFunctionStatus

GROUP = "sundial.dev"
VERSION = "v1alpha1"
API_VERSION_TEXT = "The group and version of this object: sundial.dev/v1alpha1."
KIND_TEXT = "The kind of this object: {kind}."

# a Job's name ends at 63 characters and its Pod's name shows 57; the rest is for the slot and the attempt
JOB_NAME = Rule(
    "size(self.metadata.name) <= 52 && !self.metadata.name.contains('.')",
    "metadata.name of a ScheduledJob must be at most 52 characters and without dots",
    scope=RuleScope.CREATION,
)


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; priority 1 is shown with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0

    def schema(self) -> JsonObject:
        """Write the column as an entry of additionalPrinterColumns."""
        entry: JsonObject = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return entry | ({"priority": self.priority} if self.priority else {})


@dataclass(frozen=True)
class Kind:
    """What a custom resource is called and made of."""

    name: str
    text: str
    spec: type[BaseModel]
    columns: tuple[Column, ...]
    status: type[BaseModel] | None = None
    short_names: tuple[str, ...] = ()
    selectable: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def plural(self) -> str:
        """Name the resource as it stands in URLs."""
        return f"{self.name.lower()}s"


AGE = Column("Age", ".metadata.creationTimestamp", "date")
IS_READY = Column("Ready", ".status.conditions[?(@.type=='Ready')].status", priority=1)
WHY_READY = Column("Reason", ".status.conditions[?(@.type=='Ready')].reason", priority=1)
READY = (IS_READY, WHY_READY)

SCHEDULED_JOB = Kind(
    name="ScheduledJob",
    text="A ScheduledJob runs a Job at the instants that its schedule names.",
    spec=ScheduledJobSpec,
    status=ScheduledJobStatus,
    short_names=("sj",),
    columns=(
        Column("Schedule", ".status.scheduleText"),
        Column("Suspended", ".status.conditions[?(@.type=='Suspended')].status"),
        Column("Active", ".status.activeCount", "integer"),
        Column("Last", ".status.lastRunTime", "date"),
        Column("Result", ".status.lastResult"),
        # kubectl prints a date in the future as <invalid>
        Column("Next", ".status.nextRunTime"),
        replace(IS_READY, priority=0),
        WHY_READY,
        AGE,
    ),
    selectable=(".spec.suspend", ".spec.taskFunctionRef.name"),
    rules=(JOB_NAME,),
)
TASK_FUNCTION = Kind(
    name="TaskFunction",
    text="A TaskFunction is something that can be run; ScheduledJobs in its namespace refer to it.",
    spec=TaskFunctionSpec,
    status=TaskFunctionStatus,
    short_names=("tf",),
    columns=(
        Column("Active", ".spec.active", "boolean"),
        Column("System", ".spec.system", "boolean"),
        Column("Used", ".status.usedBy.count", "integer"),
        replace(IS_READY, priority=0),
        WHY_READY,
        AGE,
    ),
)
SCHEDULED_JOB_RUN = Kind(
    name="ScheduledJobRun",
    text="A ScheduledJobRun asks for one run of a ScheduledJob, now, beside its schedule.",
    spec=ScheduledJobRunSpec,
    status=ScheduledJobRunStatus,
    short_names=("sjr",),
    columns=(
        Column("ScheduledJob", ".spec.scheduledJobName"),
        Column("Verdict", ".status.verdict"),
        Column("Result", ".status.result"),
        Column("Reason", ".status.reason"),
        Column("Job", ".status.jobName", priority=1),
        AGE,
    ),
    selectable=(".spec.scheduledJobName",),
)
LEADER_TERM = Kind(
    name="LeaderTerm",
    text="A LeaderTerm says which operator process leads its installation. Only Sundial writes it.",
    spec=LeaderTermSpec,
    columns=(
        Column("Term", ".spec.term", "integer"),
        Column("Holder", ".spec.holder"),
        Column("Since", ".spec.since", "date"),
        AGE,
    ),
)
KINDS = (SCHEDULED_JOB, TASK_FUNCTION, SCHEDULED_JOB_RUN, LEADER_TERM)


def build_definition(kind: Kind, template: JsonObject) -> JsonObject:
    """Build the CRD of a kind; `template` is the reduced schema of JobTemplateSpec."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": _names(kind),
            "versions": [_version(kind, narrow_template(template))],
        },
    }


def _names(kind: Kind) -> JsonObject:
    names: JsonObject = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "categories": ["sundial"],
    }
    return names | ({"shortNames": list(kind.short_names)} if kind.short_names else {})


def _version(kind: Kind, template: JsonObject) -> JsonObject:
    version: JsonObject = {"name": VERSION, "served": True, "storage": True}
    if kind.status:
        version["subresources"] = {"status": {}}
    version["additionalPrinterColumns"] = [column.schema() for column in kind.columns]
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return version | {"schema": {"openAPIV3Schema": _root(kind, template)}}


def _root(kind: Kind, template: JsonObject) -> JsonObject:
    properties: JsonObject = {
        "apiVersion": {"type": "string", "description": API_VERSION_TEXT},
        "kind": {"type": "string", "description": KIND_TEXT.format(kind=kind.name)},
        "metadata": {"type": "object"},
        "spec": build_schema(kind.spec, template),
    }
    if kind.status:
        properties["status"] = build_schema(kind.status, template)
    root = {"type": "object", "description": kind.text, "required": ["spec"], "properties": properties}
    return root | (validations(*kind.rules) if kind.rules else {})
