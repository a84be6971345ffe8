"""Which ScheduledJobs the command finds, and how it says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sundial_operator import main
from sundial_operator.check_args import UnfitJob, judge, write_json, write_text

SCHEMA = {"properties": {"days": {"minimum": 1}}}
FUNCTIONS = {
    ("team", "clean-up"): {"parametersSchema": SCHEMA},
    ("team", "broken"): {"parametersSchema": {"type": "intger"}},
    ("team", "free"): {},
}


def find(function: str | None, args: dict[str, Any] | None = None) -> list[UnfitJob]:
    spec = {"taskFunctionRef": {"name": function}} if function else {"template": {}}
    item = {"metadata": {"namespace": "team", "name": "job"}, "spec": spec | ({"args": args} if args else {})}
    return list(judge(item, FUNCTIONS))


@pytest.mark.parametrize(
    ("function", "args", "reasons"),
    [
        pytest.param("clean-up", {"days": 0}, ["InvalidArgs"], id="they do not fit"),
        pytest.param("clean-up", {"days": 1}, [], id="they fit"),
        pytest.param("clean-up", None, [], id="none"),
        pytest.param("broken", {"days": 0}, ["InvalidParametersSchema"], id="a schema that cannot be used"),
        pytest.param("free", {"days": 0}, [], id="no schema"),
        pytest.param("missing", {"days": 0}, [], id="no function"),
        pytest.param(None, {"days": 0}, [], id="a template of its own"),
    ],
)
def test_what_is_found(function: str | None, args: dict[str, Any] | None, reasons: list[str]) -> None:
    assert [finding.reason for finding in find(function, args)] == reasons


def test_what_is_written_for_people_and_for_programs() -> None:
    findings = find("clean-up", {"days": 0})
    assert write_text(7, findings).splitlines() == [
        "team/job (clean-up): InvalidArgs: spec.args.days: is less than the minimum of 1",
        "1 of 7 ScheduledJobs have args that do not fit",
    ]
    assert json.loads(write_json(7, findings)) == {
        "checked": 7,
        "findings": [
            {
                "namespace": "team",
                "name": "job",
                "taskFunction": "clean-up",
                "reason": "InvalidArgs",
                "message": "spec.args.days: is less than the minimum of 1",
            }
        ],
    }


def test_what_a_tenant_wrote_does_not_steer_the_terminal() -> None:
    finding = UnfitJob("team", "job", "clean-up", "InvalidArgs", "spec.args.\x1b[2J\u202e: is not known here")
    assert "\x1b" not in write_text(1, [finding])
    assert "\u202e" not in write_text(1, [finding])


@pytest.mark.parametrize("options", [["check-args", "-o", "xml"], ["check-arg"], ["check-args", "extra"]])
def test_wrong_options_end_with_2(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(options)
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_without_a_login_it_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(SystemExit) as ended:
        main.main(["check-args"])
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err == "sundial-operator: KUBECONFIG names a file that is not there: /nowhere\n"
    )
