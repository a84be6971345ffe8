"""What did Sundial tell this Pod, and what is made of nonsense?"""

import pytest

from sundial_runner import environment
from sundial_runner.endings import NotRunnable


@pytest.mark.parametrize(
    ("told", "most"),
    [
        pytest.param(None, 4096, id="nothing"),
        pytest.param("", 4096, id="empty"),
        pytest.param("2457", 2457, id="a number"),
        pytest.param("1000000", 4096, id="more than the kubelet keeps"),
        pytest.param("1", 64, id="too little for any message"),
        pytest.param("-1", 4096, id="negative"),
        pytest.param("nan", 4096, id="not a number"),
        pytest.param("inf", 4096, id="endless"),
        pytest.param("many", 4096, id="a word"),
    ],
)
def test_the_size_of_a_message(told: str | None, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUNDIAL_MESSAGE_BYTES", raising=False)
    if told is not None:
        monkeypatch.setenv("SUNDIAL_MESSAGE_BYTES", told)
    assert environment.read_message_bytes() == most


@pytest.mark.parametrize(
    ("told", "args"),
    [
        pytest.param("", {}, id="empty"),
        pytest.param("{}", {}, id="none"),
        pytest.param('{"a": [1, "\u0641"]}', {"a": [1, "ف"]}, id="some"),
    ],
)
def test_arguments_are_an_object(told: str, args: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDIAL_ARGS", told)
    assert environment.read_args() == args


@pytest.mark.parametrize("told", ["[1]", "null", '"text"', "{", "[" * 100_000, "NaN"])
def test_other_arguments_are_refused(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDIAL_ARGS", told)
    with pytest.raises(NotRunnable, match="SUNDIAL_ARGS is no JSON object"):
        environment.read_args()


def test_without_a_path_for_the_message_it_is_the_kubelets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUNDIAL_MESSAGE_PATH", raising=False)
    assert environment.read_message_path() == "/dev/termination-log"


def test_the_id_of_the_run_is_a_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDIAL_RUN_ID", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8")
    assert environment.read_run_id() == "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    monkeypatch.delenv("SUNDIAL_RUN_ID")
    with pytest.raises(NotRunnable, match="SUNDIAL_RUN_ID is no UUID"):
        environment.read_run_id()


@pytest.mark.parametrize(
    ("told", "number"), [("", 1), ("3", 3), ("0", 1), ("-2", 1), ("two", 1), ("1e999", 1)]
)
def test_attempts_are_counted_from_one(told: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDIAL_ATTEMPT", told)
    assert environment.read_attempt() == number


@pytest.mark.parametrize(("told", "seconds"), [("", 30), ("2.5", 2.5), ("0", 30), ("nan", 30)])
def test_the_time_to_send_a_task(told: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDIAL_DISPATCH_SECONDS", told)
    assert environment.read_dispatch_seconds() == seconds


@pytest.mark.parametrize(("told", "waits"), [("", True), ("true", True), ("false", False)])
def test_a_task_is_waited_for_unless_that_is_switched_off(
    told: str, waits: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNDIAL_CELERY_WAIT", told)
    assert environment.is_waiting() is waits
