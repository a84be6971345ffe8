"""What does the demo show of what it reads, and what does it make of the examples?"""

import argparse
import io
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rich.console import Console
from rich.live import Live

from sundial_demo.board import describe_delays, describe_wait
from sundial_demo.installation import OBJECTS, build_kubeconfig
from sundial_demo.main import Steps, build_parser, parse_seconds
from sundial_demo.observations import (
    NodeCount,
    Run,
    read_result,
    read_run,
    read_schedule,
    try_read_run,
)
from sundial_demo.schedules import build_schedules
from sundial_demo.show import Board, show
from sundial_devcluster.simulated import SIMULATE

NOW = datetime(2026, 11, 23, 12, 0, 0, 400_000, tzinfo=UTC)
REAL, SIMULATED = NodeCount(1, 0), NodeCount(0, 2)


def run(created: float = 0, placed: float | None = None, attempt: int = 1, trigger: str = "schedule") -> Run:
    """Build a run of a slot at NOW; the times are seconds after it."""
    at = None if placed is None else NOW + timedelta(seconds=placed)
    began = NOW + timedelta(seconds=created)
    return Run("a-x", "a", attempt, NOW, began, "Running", None, trigger, "node-1", at)


def job(trigger: str = "schedule", conditions: Sequence[dict[str, str]] = (), **marks: str) -> dict[str, Any]:
    """Build a Job of Sundial's; `marks` are annotations besides."""
    named = {f"sundial.dev/{name}": value for name, value in marks.items()}
    own = {"sundial.dev/attempt": "2", "sundial.dev/scheduled-for": "2026-11-23T12:00:00Z"} | named
    labels = {"sundial.dev/scheduled-job": "a", "sundial.dev/trigger": trigger}
    metadata = {
        "name": "a-x",
        "labels": labels,
        "annotations": own,
        "creationTimestamp": "2026-11-23T12:00:01Z",
    }
    return {"metadata": metadata, "status": {"conditions": list(conditions)}}


def condition(kind: str, reason: str = "", status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": "2026-11-23T12:00:05Z"}


def specs(nodes: NodeCount, image: str | None = "localhost/box:1") -> dict[str, Any]:
    return {job["metadata"]["name"]: job["spec"] for job in build_schedules(NOW, image, nodes)}


def pod_of(spec: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = spec["template"]["spec"]["template"]
    return pod


@pytest.mark.parametrize(
    ("conditions", "phase"),
    [
        pytest.param([], "Pending", id="nothing yet"),
        pytest.param([condition("Complete", status="False")], "Pending", id="not true"),
        pytest.param([condition("SuccessCriteriaMet"), condition("Complete")], "Succeeded", id="complete"),
        pytest.param([condition("FailureTarget", "PodFailurePolicy")], "Failed", id="Pods not gone yet"),
        pytest.param([condition("Failed", "DeadlineExceeded")], "TimedOut", id="deadline"),
    ],
)
def test_conditions_of_a_job_tell_its_phase(conditions: list[dict[str, str]], phase: str) -> None:
    assert read_result(conditions)[0] == phase


@pytest.mark.parametrize(
    ("runs", "delays"),
    [
        pytest.param([], ("-", "-"), id="no run"),
        pytest.param([run()], ("< 1 s", "-"), id="whole seconds, no event yet"),
        pytest.param([run(1, 1.04), run(0, 0.02)], ("< 2 s", "1.04 s"), id="worst of two"),
        pytest.param([run(-0.4, 0.1)], ("< 1 s", "0.10 s"), id="cut to before the slot"),
        pytest.param([run(60, 60, attempt=2)], ("-", "-"), id="a retry has no slot"),
        pytest.param([run(99999, 99999, trigger="backfill")], ("-", "-"), id="a backfill is not late"),
        pytest.param([run(99999, 99999, trigger="manual")], ("-", "-"), id="nor is a run by hand"),
        pytest.param(
            [run(0, 0.5), run(9999, 9999, trigger="backfill")], ("< 1 s", "0.50 s"), id="beside one"
        ),
    ],
)
def test_delays_claim_no_more_than_the_cluster_recorded(runs: list[Run], delays: tuple[str, str]) -> None:
    assert describe_delays(runs) == delays


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (9, "9 s"), (60, "1 min 0 s"), (58020, "16 h 7 min"), (90000, "1 d 1 h")],
)
def test_wait_has_two_units(seconds: int, text: str) -> None:
    assert describe_wait(NOW + timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        pytest.param(REAL, "1 real node", id="real"),
        pytest.param(SIMULATED, "2 SIMULATED nodes, on which no container runs", id="simulated"),
        pytest.param(
            NodeCount(3, 2), "3 real nodes and 2 SIMULATED nodes, on which no container runs", id="both"
        ),
        pytest.param(NodeCount(0, 0), "no nodes", id="none"),
    ],
)
def test_simulated_nodes_are_called_so(nodes: NodeCount, text: str) -> None:
    assert str(nodes) == text


def test_a_job_whose_marks_somebody_has_changed_is_left_out() -> None:
    metadata = {"name": "a-x", "labels": {}, "annotations": {"sundial.dev/attempt": "one"}}
    assert try_read_run({"metadata": metadata}, None) is None


def test_run_without_result_has_the_phase_of_its_pod() -> None:
    pod = {"spec": {"nodeName": "node-1"}, "status": {"phase": "Running"}}
    found = read_run(job(), pod)
    assert (found.phase, found.node, found.attempt) == ("Running", "node-1", 2)
    assert found.created - found.slot == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("conditions", "ended", "phase"),
    [
        pytest.param([condition("Failed", "DeadlineExceeded")], "", "TimedOut", id="too slow"),
        pytest.param([condition("Failed", "DeadlineExceeded")], "Cancelled", "Cancelled", id="cancelled"),
        pytest.param([condition("Failed", "DeadlineExceeded")], "Replaced", "Cancelled", id="replaced"),
        pytest.param([condition("Failed", "DeadlineExceeded")], "StartTimeout", "Failed", id="not started"),
        pytest.param([condition("Failed", "DeadlineExceeded")], "somehow", "TimedOut", id="odd mark"),
        pytest.param([condition("Complete")], "Cancelled", "Succeeded", id="done before it was ended"),
    ],
)
def test_a_run_that_was_ended_early_is_not_called_timed_out(
    conditions: list[dict[str, str]], ended: str, phase: str
) -> None:
    assert read_run(job("manual", conditions, ended=ended), None).phase == phase


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        pytest.param({}, "", id="not seen by the operator"),
        pytest.param({"conditions": [condition("Ready", "Scheduled")]}, "Scheduled", id="ready"),
        pytest.param(
            {"conditions": [condition("Ready", "NeverFires", "False")]}, "not: NeverFires", id="not"
        ),
    ],
)
def test_schedule_shows_why_it_is_not_ready(status: dict[str, Any], ready: str) -> None:
    assert read_schedule({"metadata": {"name": "a"}, "status": status}).ready == ready


def test_schedules_are_fitted_to_the_hour_and_the_image() -> None:
    found = specs(REAL)
    assert found["once"]["schedule"] == {"at": "2026-11-23T12:01:00+00:00"}
    images = {
        container["image"] for spec in found.values() for container in pod_of(spec)["spec"]["containers"]
    }
    assert images == {"localhost/box:1"}
    assert "metadata" not in pod_of(found["failing"])


def test_image_of_the_examples_stays_where_registries_can_be_reached() -> None:
    containers = [pod_of(spec)["spec"]["containers"][0] for spec in specs(REAL, image=None).values()]
    assert {container["image"] for container in containers} == {"busybox:1.36"}


def test_simulated_pods_are_told_how_to_end() -> None:
    found = specs(SIMULATED)
    assert pod_of(found["failing"])["metadata"]["annotations"] == {SIMULATE: "Failed"}
    assert "600s" in pod_of(found["too-slow"])["metadata"]["annotations"].values()
    assert pod_of(found["every-10-seconds"])["metadata"]["annotations"] == {}


def test_operator_logs_in_with_its_token_alone() -> None:
    view = {
        "clusters": [{"name": "c", "cluster": {"server": "https://x"}}],
        "users": [{"name": "admin", "user": {"client-key-data": "secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "admin", "namespace": "n"}}],
    }
    found = build_kubeconfig(view, "token")
    assert found["users"] == [{"name": "sundial", "user": {"token": "token"}}]
    assert found["clusters"] == view["clusters"]
    assert found["contexts"][0]["context"] == {"cluster": "c", "user": "sundial"}


def test_operator_may_not_do_everything() -> None:
    rules = [rule for one in yaml.safe_load_all(OBJECTS.read_text()) for rule in one.get("rules", ())]
    assert rules
    assert not any("*" in values for rule in rules for values in rule.values())
    assert not any("secrets" in rule["resources"] for rule in rules)


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "soon"])
def test_seconds_are_a_positive_number(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a positive number"):
        parse_seconds(text)


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_wrong_choice_is_told_the_right_ones(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLUSTER", "foo" if how == "variable" else "")
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--cluster", "foo"] if how == "option" else [])
    assert "'foo' is none of current, kind, k3d, local, auto" in capsys.readouterr().err


COMMANDS = [f"kubectl command {number} {'x' * 70}" for number in range(12)]


def show_board(height: int) -> tuple[str, str]:
    """Show a board on a terminal 80 wide: what was printed before it, and the board."""
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=80, height=height, legacy_windows=False)
    seen: Any = SimpleNamespace(schedules=[], runs=[run()] * 40)
    board = Board("Sundial", seen, COMMANDS)
    show(console, board, iter([None]))
    printed = drawn.getvalue()
    console.file = io.StringIO()
    console.print(board.fit(None, console))
    return printed, console.file.getvalue()


@pytest.mark.parametrize("height", [24, 12, 5])
def test_commands_that_do_not_fit_are_in_the_scrollback(height: int) -> None:
    printed, board = show_board(height)
    assert all(f"kubectl command {number} " in printed for number in range(12))
    assert "\x1b[?1049h" not in printed  # the other screen has no scrollback
    assert "kubectl command" not in board
    assert "scroll up" in board
    assert height == 5 or board.count("\n") < height


def test_commands_that_fit_are_below_the_table() -> None:
    printed, board = show_board(60)
    assert "\x1b[?1049h" in printed
    assert all(f"kubectl command {number} " in board for number in range(12))
    assert "scroll up" not in board
    assert 50 < board.count("\n") < 60


class InterruptedConsole(Console):
    """Is interrupted while a spinner is half drawn, once."""

    interrupted = False

    def set_live(self, live: Live) -> bool:
        if not self.interrupted:
            self.interrupted = True
            signal.raise_signal(signal.SIGINT)
        return super().set_live(live)


@pytest.mark.parametrize("how", [{"force_terminal": True}, {}], ids=["on a terminal", "in a pipe"])
def test_a_step_that_is_interrupted_can_be_followed_by_others(how: dict[str, Any]) -> None:
    drawn = io.StringIO()
    steps = Steps(InterruptedConsole(file=drawn, **how))
    with pytest.raises(KeyboardInterrupt):
        steps("starting the operator")
    steps("removing the cluster")
    steps.pause()
    assert "removing the cluster" in drawn.getvalue()
