"""Rings are folders: unit needs nothing, cluster a control plane, database a Postgres, pods a real node."""

import signal

pytest_plugins = [
    "sundial_devcluster.pytest_plugin",
    "operators",
    "databases",
    "mirrors",
    "api_processes",
    "api_callers",
]


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, even where the run itself ignores it (`make test &`)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
