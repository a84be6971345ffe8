"""Which Celery application sends a task, and what does it know of it?"""

from __future__ import annotations

import os

from celery import Celery, Task
from celery.app.utils import find_app
from celery.backends.base import DisabledBackend

from sundial_runner.celery_tasks.faults import LASTING
from sundial_runner.endings import NotRunnable
from sundial_runner.judgement import describe_error
from sundial_runner.resolve import import_longest, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load_app(name: str) -> Any:
    """Load the application that is named, as for `celery -A`, else make one of the URLs.

    Raises NotRunnable, and what the application's modules raise.
    """
    app = _import_app(name) if name else _make_app()
    app.set_current()
    if app.conf.task_always_eager:
        raise NotRunnable("the Celery application has task_always_eager: no worker would get the task")
    _load_backend(app)
    return app


def _load_backend(app: Any) -> None:
    try:
        app.backend  # noqa: B018 - is made by that
    except LASTING as error:
        raise NotRunnable(f"the result backend cannot be used: {describe_error(error)}") from None


def has_backend(app: Any) -> bool:
    """Tell whether the states of tasks can be read."""
    return not isinstance(app.backend, DisabledBackend)


def find_task(app: Any, name: str) -> Any:
    """Find the task where its code is here: it brings its own queue, priority and serializer."""
    app.loader.import_default_modules()
    if name in app.tasks:
        return app.tasks[name]
    try:
        found = resolve(name)
    except NotRunnable:
        return None  # the worker may know it
    return app.tasks.get(found.name) if isinstance(found, Task) else None


def _import_app(name: str) -> Any:
    """Import an application: the module by ourselves, which tells a wrong name from a broken module."""
    import_longest(name.replace(":", ".").split("."), name)
    try:
        found = find_app(name)
    except (AttributeError, ImportError):
        found = None
    if not isinstance(found, Celery):
        raise NotRunnable(
            f"{name} is no Celery application: write module or module:attribute, as for celery -A"
        )
    return found


def _make_app() -> Any:
    broker = os.environ.get("CELERY_BROKER_URL")
    if not broker:
        raise NotRunnable("there is no broker: set handler.celery.app, or CELERY_BROKER_URL in the template")
    return Celery("sundial", broker=broker, backend=os.environ.get("CELERY_RESULT_BACKEND") or None)
