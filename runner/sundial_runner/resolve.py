"""Which function does a dotted path name? Modules first, then attributes, to any depth."""

from __future__ import annotations

import sys
import types

from sundial_runner.endings import NotRunnable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAME_INSTEAD = "name a function, a static or class method, or a method of an object in the module"


def resolve(path: str) -> Callable[..., Any]:
    """Find what a path names; raises NotRunnable, and whatever the module raises while it is imported."""
    parts = path.replace(":", ".").split(".")
    if not all(part.isidentifier() for part in parts):
        raise NotRunnable(f"{path} is no dotted path: write package.module.function")
    module, used = import_longest(parts, path)
    owner: Any = None
    found: Any = module
    for i in range(used, len(parts)):
        owner, found = found, _get_attribute(found, parts, i, path)
    return _bind(path, owner, found, parts[-1])


def import_longest(parts: list[str], path: str) -> tuple[types.ModuleType, int]:
    """Import the longest part of a path that is a module, and tell how many names it took."""
    for i in range(len(parts), 0, -1):
        name = ".".join(parts[:i])
        try:
            __import__(name)  # importlib would be one more module for each run
            return sys.modules[name], i
        except ModuleNotFoundError as error:
            # Only if the missing one is this name or a parent of it; else the module itself is broken.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
        except SystemExit:
            raise NotRunnable(f"{path}: a module calls sys.exit() while it is imported") from None
    where = "it was looked for in the working directory and in PYTHONPATH"
    raise NotRunnable(f"{path}: there is no module {parts[0]}; {where}")


def _get_attribute(found: Any, parts: list[str], i: int, path: str) -> Any:
    try:
        return getattr(found, parts[i])
    except AttributeError:
        owner = f"the {_describe_kind(found)} {'.'.join(parts[:i])}"
        raise NotRunnable(f"{path}: {owner} has no {parts[i]}{_hint(found, parts[i])}") from None


def _describe_kind(found: Any) -> str:
    if isinstance(found, types.ModuleType):
        return "module"
    return "class" if isinstance(found, type) else type(found).__name__


def _hint(found: Any, name: str) -> str:
    """Name what was probably meant: the same letters, written otherwise."""
    wanted = name.lower().replace("_", "")
    near = next((one for one in dir(found) if one.lower().replace("_", "") == wanted), None)
    return f"; there is {near}" if near else ""


def _bind(path: str, owner: Any, found: Any, name: str) -> Callable[..., Any]:
    """Give a plain function of a class the instance that it needs, and refuse what cannot be called."""
    if isinstance(owner, type) and isinstance(_read_plain(owner, name), types.FunctionType):
        return _bind_method(path, owner, name)
    if isinstance(found, types.ModuleType):
        raise NotRunnable(f"{path} is a module: name a function in it, as {path}.function")
    if not callable(found):
        raise NotRunnable(f"{path} is of type {type(found).__name__} and cannot be called")
    return found  # type: ignore[no-any-return]


def _read_plain(owner: type, name: str) -> object:
    """Read an attribute of a class as its body has it, which tells a method from a static or class method."""
    return next((one.__dict__[name] for one in owner.__mro__ if name in one.__dict__), None)


def _bind_method(path: str, owner: type, name: str) -> Callable[..., Any]:
    try:
        instance = owner()
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise  # its constructor took no arguments, and failed
        needs = f"is a method of {owner.__name__}, which cannot be made without arguments ({error})"
        raise NotRunnable(f"{path} {needs}; {NAME_INSTEAD}") from None
    return getattr(instance, name)  # type: ignore[no-any-return]
