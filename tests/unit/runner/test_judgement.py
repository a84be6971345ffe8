"""What does an exception say of a run?"""

import pytest

from sundial_runner.endings import NotRunnable, Stopped, Unavailable
from sundial_runner.judgement import judge


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(Stopped(), 143, "stopped by SIGTERM", id="stopped"),
        pytest.param(NotRunnable("why"), 78, "why", id="not runnable"),
        pytest.param(Unavailable("why"), 69, "why", id="unavailable"),
        pytest.param(SystemExit(), 0, "", id="exit"),
        pytest.param(SystemExit(0), 0, "", id="exit with 0"),
        pytest.param(SystemExit(False), 0, "", id="exit with False"),
        pytest.param(SystemExit(True), 1, "the function called sys.exit(True)", id="exit with True"),
        pytest.param(SystemExit(2), 2, "the function called sys.exit(2)", id="exit with its own code"),
        pytest.param(SystemExit(63), 63, "the function called sys.exit(63)", id="the last of its own"),
        pytest.param(SystemExit(64), 1, "the function called sys.exit(64)", id="exit with a code of ours"),
        pytest.param(SystemExit(-1), 1, "the function called sys.exit(-1)", id="negative"),
        pytest.param(SystemExit(256), 1, "the function called sys.exit(256)", id="more than a byte"),
        pytest.param(SystemExit("text"), 1, "the function called sys.exit('text')", id="exit with a text"),
        pytest.param(
            SystemExit(Unspeakable()),
            1,
            "the function called sys.exit((its text cannot be read))",
            id="no repr",
        ),
        pytest.param(ValueError("text"), 1, "ValueError: text", id="exception"),
        pytest.param(ValueError(), 1, "ValueError", id="exception without a text"),
        pytest.param(KeyboardInterrupt(), 1, "KeyboardInterrupt", id="interruption"),
        pytest.param(Unspeakable(), 1, "Unspeakable: (its text cannot be read)", id="text that fails"),
    ],
)
def test_an_exception_has_a_code_and_a_line(error: BaseException, code: int, said: str) -> None:
    outcome = judge(error)
    assert (outcome.code, outcome.error) == (code, said)


def test_only_what_failed_has_a_traceback() -> None:
    assert judge(ValueError("x")).traceback == "ValueError: x\n"
    assert (
        judge(NotRunnable("x")).traceback
        == judge(Stopped()).traceback
        == judge(SystemExit(2)).traceback
        == ""
    )


def test_a_cause_is_told_first() -> None:
    error = ValueError("outer")
    error.__cause__ = KeyError("inner")
    assert judge(error).traceback.startswith("KeyError: 'inner'\n\nThe above exception was the direct cause")
