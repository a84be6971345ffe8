"""How is a function called, and what is awaited?"""

import asyncio

import pytest

from sundial_runner.call import call_function
from sundial_runner.endings import NotRunnable

pytestmark = pytest.mark.usefixtures("user_app")
GENERATOR = "is a generator: calling it runs nothing; name a function that does the work and returns"


@pytest.mark.parametrize(
    ("path", "args", "result"),
    [
        pytest.param("samples.plain", {"x": [1, {"y": None}]}, {"x": [1, {"y": None}]}, id="function"),
        pytest.param("samples.coroutine", {"x": "فشل"}, "فشل", id="async function"),
        pytest.param("samples.returns_coroutine", {}, 7, id="function that returns a coroutine"),
        pytest.param("samples.returns_awaitable", {}, "awaited", id="awaitable object"),
        pytest.param("samples.old_coroutine", {}, "old", id="coroutine that is a generator"),
        pytest.param("samples.own_loop", {}, 5, id="a loop of its own"),
        pytest.param("samples.nothing", {}, None, id="nothing returned"),
    ],
)
def test_a_function_is_called_and_awaited(path: str, args: dict[str, object], result: object) -> None:
    assert call_function(path, args) == result


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param(
            "samples.plain",
            "the arguments do not fit: plain() got an unexpected keyword argument 'y'",
            id="function",
        ),
        pytest.param(
            "samples.coroutine",
            "the arguments do not fit: coroutine() got an unexpected keyword argument 'y'",
            id="async function",
        ),
        pytest.param(
            "samples.partial",
            "the arguments do not fit: plain() got an unexpected keyword argument 'y'",
            id="partial",
        ),
        pytest.param(
            "asyncio.sleep",
            "the arguments do not fit: sleep() got an unexpected keyword argument 'y'",
            id="both missing and unexpected",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_not_tried_again(path: str, message: str) -> None:
    with pytest.raises(NotRunnable) as refused:
        call_function(path, {"y": 1})
    assert str(refused.value) == f"{path}: {message}"


def test_a_type_error_inside_of_a_function_is_its_own() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'y'"):
        call_function("samples.fails_inside", {})


@pytest.mark.parametrize("path", ["samples.generator", "samples.async_generator"])
def test_a_generator_is_refused(path: str) -> None:
    with pytest.raises(NotRunnable) as refused:
        call_function(path, {})
    assert str(refused.value) == f"{path} {GENERATOR}"


def test_what_cancels_itself_is_not_stopped() -> None:
    with pytest.raises(asyncio.CancelledError):
        call_function("samples.cancelled", {})
