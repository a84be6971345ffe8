"""Do the models read what users write, with the defaults and limits that the CRDs have?"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from sundial_clock.errors import ScheduleError
from sundial_clock.schedule import compile_schedule
from sundial_core.resources.fields import Model
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.resources.schedules import ScheduleSpec
from sundial_core.resources.specs import (
    LeaderTermSpec,
    RunSource,
    ScheduledJobRunSpec,
    ScheduledJobSpec,
    TaskFunctionSpec,
)
from sundial_core.resources.statuses import ScheduledJobStatus

ROOT = Path(__file__).parents[4]
SPECS: dict[str, type[Model]] = {
    "ScheduledJob": ScheduledJobSpec,
    "TaskFunction": TaskFunctionSpec,
    "ScheduledJobRun": ScheduledJobRunSpec,
    "LeaderTerm": LeaderTermSpec,
}
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
COUNTEREXAMPLES = sorted((ROOT / "tests/cluster/counterexamples").glob("*.yaml"))
LIMIT_WORDS = ("less than or equal", "greater than or equal", "Too long")
SCHEDULE = {"cron": "0 9 * * *"}


def is_beyond_a_limit(path: Path) -> bool:
    """Tell whether a number or a length is refused; those in cronFields are for the schedule's parser."""
    text = path.read_text()
    return "cronFields" not in text and any(words in text for words in LIMIT_WORDS)


CREATED = datetime(2026, 1, 1, tzinfo=UTC)
BAD_CRONS = [path for path in COUNTEREXAMPLES if path.stem.startswith("job-schedule-cron-")]
BEYOND_LIMITS = [path for path in COUNTEREXAMPLES if is_beyond_a_limit(path)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_reads_and_writes_back(path: Path) -> None:
    manifest = yaml.safe_load(path.read_text())
    spec = SPECS[manifest["kind"]].model_validate(manifest["spec"])
    written = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert SPECS[manifest["kind"]].model_validate(written) == spec
    assert sorted(written) == sorted(manifest["spec"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_schedule_of_an_example_has_slots(path: Path) -> None:
    manifest = yaml.safe_load(path.read_text())
    if schedule := manifest["spec"].get("schedule"):
        compiled = compile_schedule(
            ScheduleSpec.model_validate(schedule).to_schedule(), name="default/x", created_at=CREATED
        )
        assert compiled.next_slot(CREATED) is not None


@pytest.mark.parametrize("path", BAD_CRONS, ids=lambda path: path.stem)
def test_a_cron_that_the_api_server_refuses_does_not_parse_either(path: Path) -> None:
    schedule = yaml.safe_load(path.read_text())["spec"]["schedule"]
    with pytest.raises((ScheduleError, ValidationError)):
        compile_schedule(
            ScheduleSpec.model_validate(schedule).to_schedule(), name="default/x", created_at=CREATED
        )


def test_examples_are_there() -> None:
    kinds = Counter(yaml.safe_load(path.read_text())["kind"] for path in EXAMPLES)
    assert kinds.keys() == {"ScheduledJob", "TaskFunction", "ScheduledJobRun"}


def test_defaults_of_a_scheduled_job() -> None:
    spec = ScheduledJobSpec.model_validate({"schedule": SCHEDULE})
    assert spec.concurrency.model_dump(mode="json") == {
        "policy": "Forbid",
        "max_instances": 1,
        "max_queued": None,
    }
    assert spec.retry.model_dump() == {"count": 3, "delay_seconds": 60}
    assert (spec.timeout_seconds, spec.start_timeout_seconds, spec.suspend) == (None, None, False)


def test_defaults_of_a_run() -> None:
    spec = ScheduledJobRunSpec.model_validate({"scheduledJobName": "clean-up"})
    assert (spec.source, spec.ignore_concurrency, spec.ttl_seconds_after_finished) == (
        RunSource.API,
        False,
        None,
    )


def test_unknown_fields_are_ignored() -> None:
    spec = ScheduledJobSpec.model_validate({"schedule": SCHEDULE | {"novel": 1}, "later": True})
    assert spec.schedule.cron == "0 9 * * *"


def test_template_and_args_stay_as_they_are() -> None:
    template = {"spec": {"novelField": {"x": [1, None]}}}
    spec = ScheduledJobSpec.model_validate({"schedule": SCHEDULE, "template": template, "args": {"a": None}})
    assert (spec.template, spec.args) == (template, {"a": None})


@pytest.mark.parametrize("path", BEYOND_LIMITS, ids=lambda path: path.stem)
def test_limits_are_those_of_the_api_server(path: Path) -> None:
    manifest = yaml.safe_load(path.read_text())
    with pytest.raises(ValidationError):
        SPECS[manifest["kind"]].model_validate(manifest["spec"])


@pytest.mark.parametrize(
    "handler",
    [
        {"celery": {"task": "tasks.clean_up", "queue": "files"}},
        {"function": {"path": "services.clean_up"}},
        {"container": {}},
    ],
    ids=lambda handler: next(iter(handler)),
)
def test_handlers_are_told_apart(handler: dict[str, Any]) -> None:
    read = TaskFunctionSpec.model_validate({"handler": handler}).handler
    present = [name for name in ("celery", "function", "container") if getattr(read, name) is not None]
    assert present == list(handler)


def test_status_of_the_manifest_has_every_field() -> None:
    status = yaml.safe_load((ROOT / "tests/cluster/manifests/status.yaml").read_text())
    read = ScheduledJobStatus.model_validate(status)
    assert {name for name in ScheduledJobStatus.model_fields if getattr(read, name) is None} == set()


def test_reasons_are_one_word() -> None:
    assert [reason for reason in (*Reason, *ConditionType) if not reason.value.isalpha()] == []
