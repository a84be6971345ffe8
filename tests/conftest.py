"""Rings are folders: cluster needs a control plane, database Postgres, celery_tasks brokers, pods a node."""

import signal

import structlog

pytest_plugins = [
    "sundial_devcluster.pytest_plugin",
    "testkit.processes.operators",
    "testkit.databases",
    "testkit.processes.mirrors",
    "testkit.processes.apis",
    "testkit.processes.imports",
    "testkit.api_callers",
    "testkit.kept_logs",
]


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, even where the run itself ignores it (`make test &`).

    Tracebacks are plain, as the products' are: rich takes a minute to draw one of the API.
    """
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
