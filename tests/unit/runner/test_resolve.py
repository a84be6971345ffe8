"""Which function does a dotted path name, and what is said when it names none?"""

import pytest

from sundial_runner.call import call_function
from sundial_runner.endings import NotRunnable
from sundial_runner.resolve import resolve

pytestmark = pytest.mark.usefixtures("user_app")
LOOKED_FOR = "it was looked for in the working directory and in PYTHONPATH"
INSTEAD = "name a function, a static or class method, or a method of an object in the module"


@pytest.mark.parametrize(
    ("path", "result"),
    [
        pytest.param("samples.plain", {"x": 1}, id="function"),
        pytest.param("samples:plain", {"x": 1}, id="colon before the function"),
        pytest.param("samples.NoArguments.method", 3, id="method of a class without arguments"),
        pytest.param("samples.Inherited.method", 3, id="inherited method"),
        pytest.param("samples.NoArguments.of_class", "NoArguments", id="class method"),
        pytest.param("samples.Inherited.of_class", "Inherited", id="inherited class method"),
        pytest.param("samples.NoArguments.static", 4, id="static method, async"),
        pytest.param("samples.Outer.Inner.function", "inner", id="class in a class"),
        pytest.param("samples.instance", 2, id="callable object"),
        pytest.param("samples.instance.__call__", 2, id="bound method"),
        pytest.param("samples.partial", {"x": 9}, id="partial"),
        pytest.param("samples.functools.reduce.__name__.upper", "REDUCE", id="any depth"),
        pytest.param(
            "services.auth_service.auth_service.cleanup_all_expired_sessions",
            {"sessions_deleted": 0, "retention_days": 7},
            id="method of an object in a module of the same name",
        ),
    ],
)
def test_a_path_names_a_function(path: str, result: object) -> None:
    assert call_function(path, {}) == result


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param(
            "samples.Plain", "samples.Plain: the module samples has no Plain; there is plain", id="case"
        ),
        pytest.param(
            "samples.own_Loop",
            "samples.own_Loop: the module samples has no own_Loop; there is own_loop",
            id="near",
        ),
        pytest.param("samples.absent", "samples.absent: the module samples has no absent", id="nothing near"),
        pytest.param(
            "samples.NoArguments.Method",
            "samples.NoArguments.Method: the class samples.NoArguments has no Method; there is method",
            id="attribute of a class",
        ),
        pytest.param(
            "samples.instance.run",
            "samples.instance.run: the Callable samples.instance has no run",
            id="of an object",
        ),
        pytest.param(
            "services.absent.f",
            "services.absent.f: the module services has no absent",
            id="module in a package",
        ),
        pytest.param(
            "nomodule.f",
            f"nomodule.f: there is no module nomodule; {LOOKED_FOR}",
            id="module",
        ),
        pytest.param(
            "nomodule",
            f"nomodule: there is no module nomodule; {LOOKED_FOR}",
            id="module alone",
        ),
        pytest.param(
            "samples", "samples is a module: name a function in it, as samples.function", id="no function"
        ),
        pytest.param(
            "samples.not_callable",
            "samples.not_callable is of type int and cannot be called",
            id="not callable",
        ),
        pytest.param(
            "samples.NeedsDatabase.method",
            "samples.NeedsDatabase.method is a method of NeedsDatabase, which cannot be made without"
            " arguments (NeedsDatabase.__init__() missing 1 required positional argument: 'database');"
            f" {INSTEAD}",
            id="method that needs an object",
        ),
        pytest.param(
            "script.main", "script.main: a module calls sys.exit() while it is imported", id="script"
        ),
        *(
            pytest.param(path, f"{path} is no dotted path: write package.module.function", id=path or "empty")
            for path in ("", ".f", "samples..plain", "samples.plain()", "samples/plain", "../samples.plain")
        ),
    ],
)
def test_a_path_that_names_no_function_is_not_run_again(path: str, message: str) -> None:
    with pytest.raises(NotRunnable) as refused:
        resolve(path)
    assert str(refused.value) == message


def test_a_module_that_lacks_another_is_broken_and_not_missing() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        resolve("broken.function")


def test_a_constructor_that_fails_is_an_error_of_the_user() -> None:
    with pytest.raises(TypeError, match="the constructor itself failed"):
        resolve("samples.BrokenConstructor.method")
