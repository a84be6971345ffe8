"""What users ask for: the specs of the custom resources, as pydantic models.

The CRDs in `crds/` are generated from these (`python -m sundial_core.crds`): the docstring below a field is
what `kubectl explain` prints. Statuses are in statuses.py; a Job template stays raw JSON.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from sundial_core.resources.cel import (
    FieldReason,
    Rule,
    exactly_one,
    validations,
)
from sundial_core.resources.fields import (
    OBJECT_NAME,
    SHARED,
    WEEK_SECONDS,
    FreeObject,
    JobTemplate,
    Model,
)
from sundial_core.resources.schedules import ScheduleSpec

MAX_ARGS_FIELDS = 64
"""How many fields arguments may have: the rules of the CRD are costed for so many."""


class ConcurrencyPolicy(StrEnum):
    """What happens to a slot while earlier runs are active."""

    FORBID = "Forbid"
    ALLOW = "Allow"
    REPLACE = "Replace"
    QUEUE = "Queue"


class CatchUpPolicy(StrEnum):
    """What happens to slots that are later than the grace."""

    NONE = "None"
    LATEST = "Latest"
    ALL = "All"


class RunSource(StrEnum):
    """Where a ScheduledJobRun comes from."""

    MANUAL = "manual"
    API = "api"


class TaskFunctionRef(Model):
    """The TaskFunction, in the same namespace, that holds the template."""

    name: str = Field(min_length=1, max_length=253, json_schema_extra=validations(OBJECT_NAME))
    """The metadata.name of the TaskFunction, not its spec.name."""


class Concurrency(Model):
    """How many runs may be active, and what happens to a slot beyond that."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            Rule(
                "!has(self.maxQueued) || self.policy == 'Queue'",
                "goes only with policy: Queue; set that policy or remove maxQueued",
                "maxQueued",
                FieldReason.FORBIDDEN,
            )
        )
    )

    policy: ConcurrencyPolicy = ConcurrencyPolicy.FORBID
    """What happens to a slot when maxInstances runs are active. Forbid skips it, Queue lets it wait for a
    place, Replace ends the oldest run to make one, and Allow starts it whatever is active."""
    max_instances: int = Field(default=1, ge=1, le=100)
    """How many runs may be active at the same time, runs that wait for a retry included. Allow ignores it."""
    max_queued: int | None = Field(default=None, ge=1, le=100)
    """How many slots may wait under Queue, 1 when left out; slots beyond it are skipped with reason
    QueueFull."""


class Retry(Model):
    """How often and how late a failed run is tried again."""

    count: int = Field(default=3, ge=0, le=10)
    """How many more attempts a run gets after a failure, a timeout or a start that failed. With 0 there is
    one attempt."""
    delay_seconds: int = Field(default=60, ge=0, le=3600)
    """How many seconds after a failed attempt the next one starts."""


class CatchUp(Model):
    """What happens to slots that could not start on time."""

    policy: CatchUpPolicy = CatchUpPolicy.LATEST
    """What happens to slots that are older than graceSeconds when Sundial gets to them. None misses them all,
    Latest runs only the newest within windowSeconds, and only if no slot is due on time, and All runs the
    newest maxRuns within it."""
    grace_seconds: int = Field(default=30, ge=5, le=3600)
    """A slot less than this many seconds late still counts as on time. Below 25, slots may be missed under
    policy None while another replica of the operator takes over."""
    window_seconds: int = Field(default=3600, ge=0, le=WEEK_SECONDS)
    """How many seconds back Latest and All look for late slots."""
    max_runs: int = Field(default=10, ge=1, le=100)
    """How many late slots All runs at most, the newest ones."""


class History(Model):
    """How many ended runs keep their Jobs in the cluster."""

    successful: int = Field(default=3, ge=0, le=100)
    """How many runs that succeeded keep their Jobs and Pods in the cluster."""
    failed: int = Field(default=1, ge=0, le=100)
    """How many runs that did not succeed keep their Jobs and Pods in the cluster."""


class ScheduledJobSpec(Model):
    """What a user asks for: when to run, what to run, and how to treat trouble."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            Rule(
                "has(self.taskFunctionRef) != has(self.template)",
                "exactly one of taskFunctionRef and template must be set",
            ),
            Rule(
                "!has(self.timeoutSeconds) || !has(self.startTimeoutSeconds)"
                " || self.startTimeoutSeconds < self.timeoutSeconds",
                "must be less than timeoutSeconds",
                "startTimeoutSeconds",
            ),
            Rule(
                "has(self.timeoutSeconds) || has(self.taskFunctionRef) || !has(self.startTimeoutSeconds)"
                " || self.startTimeoutSeconds < 300",
                "must be less than 300, the timeout when timeoutSeconds is left out; set timeoutSeconds too",
                "startTimeoutSeconds",
            ),
        )
    )

    display_name: str | None = Field(default=None, min_length=2, max_length=200)
    """The name that people see, in any language. When left out it is metadata.name."""
    description: str | None = Field(default=None, max_length=1000)
    """What the job is for, for people to read."""
    schedule: ScheduleSpec
    """When the job runs: exactly one of cron, cronFields, interval and at, with its time zone and the window
    in which it counts."""
    suspend: bool = False
    """Stops new runs while true; runs that are active go on. Slots that pass meanwhile are never made up
    for."""
    task_function_ref: TaskFunctionRef | None = None
    """The TaskFunction whose template is run. Set either this or template."""
    template: JobTemplate | None = None
    """What to run: a batch/v1 Job template, as in a CronJob. Set either this or taskFunctionRef. Retries,
    timeouts, history and suspension are fields of the ScheduledJob; the template refuses their
    counterparts."""
    args: FreeObject | None = Field(default=None, json_schema_extra={"maxProperties": MAX_ARGS_FIELDS})
    """Arguments as a JSON object of at most 64 KiB. The container finds it in the environment variable
    SUNDIAL_ARGS."""
    concurrency: Annotated[Concurrency, SHARED] = Field(
        default_factory=Concurrency, json_schema_extra={"default": {}}
    )
    """How many runs may be active at the same time, and what happens to a slot beyond that."""
    timeout_seconds: int | None = Field(default=None, ge=1, le=WEEK_SECONDS)
    """How many seconds an attempt may take, scheduling and image pulling included. When left out it is
    defaultTimeoutSeconds of the TaskFunction, else 300."""
    start_timeout_seconds: int | None = Field(default=None, ge=1, le=WEEK_SECONDS)
    """How many seconds a Pod may take until one of the template's containers starts; the template's init
    containers, and what others add to the Pod, do not count as that. When left out it is the smaller of 600
    and 80 % of the timeout. It must be less than the timeout."""
    retry: Annotated[Retry, SHARED] = Field(default_factory=Retry, json_schema_extra={"default": {}})
    """How often and how late a failed run is tried again."""
    catch_up: Annotated[CatchUp, SHARED] = Field(default_factory=CatchUp, json_schema_extra={"default": {}})
    """What happens to slots that could not start on time, for example because the cluster was down."""
    history: Annotated[History, SHARED] = Field(default_factory=History, json_schema_extra={"default": {}})
    """How many ended runs keep their Jobs in the cluster, for kubectl logs and describe."""


class CeleryHandler(Model):
    """A Celery task that the Pod sends and waits for."""

    task: str = Field(min_length=1, max_length=255)
    """The registered name of the Celery task, such as tasks.reports.build."""
    queue: str | None = Field(default=None, min_length=1, max_length=255)
    """The queue to send the task to. When left out it is the one that the Celery application chooses."""
    app: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        json_schema_extra=validations(
            Rule(
                r"self.matches('^[^\\s.:]+([.][^\\s.:]+)*(:[^\\s.:]+([.][^\\s.:]+)*)?$')",
                "must be a module, or a module and an attribute of it, such as services.celery_app:app",
            )
        ),
    )
    """The Celery application in the image, as module or module:attribute, such as services.celery_app:app.
    With it the task is sent as the application says. When left out only broker and result backend are known,
    from the environment variables CELERY_BROKER_URL and CELERY_RESULT_BACKEND of the template."""
    wait: bool = True
    """Waits for the result while true. With false a run succeeds as soon as the broker has the task."""


DOTTED_PATH = r"^[^\s.:()]+([.:][^\s.:()]+)+$"
DOTTED_PATH_WANTED = "must be the dotted path of a Python function, such as services.sessions.clean_up"


class FunctionHandler(Model):
    """A Python function, plain or async, that the Pod imports and calls."""

    path: str = Field(
        min_length=1,
        max_length=512,
        json_schema_extra=validations(
            Rule(
                f"self.matches('{DOTTED_PATH}')".replace("\\", "\\\\"),
                DOTTED_PATH_WANTED,
            )
        ),
    )
    """The dotted path of the function, such as services.sessions.clean_up."""


class ContainerHandler(Model):
    """The template's own containers, run as they are."""


class Handler(Model):
    """Exactly one of celery, function and container."""

    model_config = ConfigDict(json_schema_extra=validations(exactly_one("celery", "function", "container")))

    celery: CeleryHandler | None = None
    """Sends a Celery task and waits for its result."""
    function: FunctionHandler | None = None
    """Imports a Python function and calls it with the arguments."""
    container: ContainerHandler | None = None
    """Runs the containers of the template as they are. Write container: {}."""

    @property
    def needs_runner(self) -> bool:
        """Whether the runner does the work in the Pod."""
        return self.celery is not None or self.function is not None


class HandlerOnly(Model):
    """Of a TaskFunction's spec what says how it is run."""

    handler: Annotated[Handler, SHARED]


class TaskFunctionSpec(Model):
    """Something that can be run, with the template of its Jobs; schedules refer to it."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            Rule(
                "has(self.template)",
                "is required: it has the containers to run, for function and celery the image with the code",
                "template",
                FieldReason.REQUIRED,
            )
        )
    )

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        json_schema_extra=validations(
            Rule("self.matches('^[A-Za-z0-9_.-]+$')", "must be of letters, digits, _, - and .")
        ),
    )
    """The name in the REST API, of letters, digits, _, - and ., unique in its namespace. When left out it is
    metadata.name."""
    display_name: str | None = Field(default=None, min_length=2, max_length=200)
    """The name that people see, in any language. When left out it is the name."""
    description: str | None = Field(default=None, max_length=1000)
    """What the function does, for people to read."""
    handler: Handler
    """How the function is run: exactly one of celery, function and container."""
    template: JobTemplate | None = None
    """The batch/v1 Job template of its runs, required. With celery and function the container named main,
    or the only one, has the image with the code and a Python: python3, or what its command names."""
    parameters_schema: FreeObject | None = None
    """A JSON Schema of the arguments, at most 64 KiB, for forms and for checks: jobs whose args do not fit
    are not started. Patterns are RE2's, and references lead into the schema itself."""
    default_timeout_seconds: int | None = Field(default=None, ge=1, le=WEEK_SECONDS)
    """The timeout of jobs that set no timeoutSeconds. When left out it is 300."""
    active: bool = True
    """Offers the function for new jobs while true. Existing jobs run whatever it says."""
    system: bool = False
    """Marks a function that the installation needs: the REST API refuses to delete its jobs."""


COMPARABLE_INSTANT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"
)
"""Date-times that CEL can read: the API server takes others too, and then refuses every later write."""


class ScheduledJobRunSpec(Model):
    """One run that a person or a program asks for, beside the schedule."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            Rule("self == oldSelf", "cannot be changed; create another ScheduledJobRun instead")
        )
    )

    scheduled_job_name: str = Field(min_length=1, max_length=253, json_schema_extra=validations(OBJECT_NAME))
    """The metadata.name of the ScheduledJob to run, in the same namespace."""
    args: FreeObject | None = Field(default=None, json_schema_extra={"maxProperties": MAX_ARGS_FIELDS})
    """Arguments for this run, a JSON object of at most 64 KiB. When left out they are the job's own."""
    scheduled_for: datetime | None = Field(default=None, json_schema_extra={"pattern": COMPARABLE_INSTANT})
    """A slot of the schedule that has passed, to be run again or made up for. When left out the run belongs
    to no slot."""
    requested_by: str | None = Field(default=None, max_length=253)
    """Who asked for the run, for people to read."""
    reason: str | None = Field(default=None, max_length=1000)
    """Why the run was asked for, for people to read."""
    source: RunSource = RunSource.API
    """Where the request comes from: manual for a person's click in the frontend, api for everything else."""
    ignore_concurrency: bool = False
    """Starts the run whatever the concurrency rule of the job says. Without it, when no place is free, the
    run waits under policy Queue or Replace, and else ends as Failed, reason AlreadyActive."""
    ttl_seconds_after_finished: int | None = Field(default=None, ge=0, le=31_536_000)
    """How many seconds after its end this object is deleted. When left out it is kept, and so is an object
    with the marks of Argo CD, Flux or Helm: they would create it again, and it would run again."""


class LeaderTermSpec(Model):
    """Which operator process leads its installation, and since when."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            Rule("self.term >= oldSelf.term", "must not go down; the term rises with each takeover", "term")
        )
    )

    term: int = Field(ge=1, json_schema_extra={"format": "int64"})
    """The number of the leadership. It rises with each takeover; Jobs of an older term are refused."""
    holder: str = Field(min_length=1, max_length=253)
    """The identity of the process that leads."""
    since: datetime
    """When it took over."""
