"""What does the check of a path print?"""

import os

import pytest
from testkit.runner_processes import USER_APP

from sundial_runner.command import run_command

GENERATOR = "is a generator: calling it runs nothing; name a function that does the work and returns"


@pytest.mark.usefixtures("user_app")
@pytest.mark.parametrize(
    ("path", "described", "file"),
    [
        pytest.param("samples.coroutine", "async function coroutine(x=1)", "samples.py", id="async function"),
        pytest.param(
            "samples.NoArguments.method", "function NoArguments.method(x=3)", "samples.py", id="method"
        ),
        pytest.param("samples.NoArguments", "class NoArguments()", "samples.py", id="class"),
        pytest.param("samples.instance", "object of type Callable Callable(x=2)", "samples.py", id="object"),
        pytest.param("samples.partial", "object of type partial partial(*, x=9)", "samples.py", id="partial"),
        pytest.param("os.getpid", "function getpid()", None, id="builtin"),
    ],
)
def test_a_path_that_runs_is_described(
    path: str, described: str, file: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["check", path]) == 0
    place = os.fspath(USER_APP / file) if file else "?"
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (f"{path}\n  {described}\n  in {place}\n", "")


@pytest.mark.usefixtures("user_app")
@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("samples.absent", "samples.absent: the module samples has no absent", id="absent"),
        pytest.param("samples.generator", f"samples.generator {GENERATOR}", id="generator"),
        pytest.param("samples.async_generator", f"samples.async_generator {GENERATOR}", id="async generator"),
    ],
)
def test_a_path_that_does_not_run_says_why(path: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", path]) == 78
    assert capsys.readouterr() == ("", f"error: {said}\n")


@pytest.mark.parametrize("arguments", [["check"], ["inspect", "samples.plain"], ["check", "a.b", "c.d"]])
def test_a_wrong_command_shows_the_right_one(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == 2
    usage = "usage: python -m sundial_runner check package.module.function\n"
    assert capsys.readouterr() == ("", usage)
