"""No log line shows the values of variables, which may be secrets; each is whole."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from sundial_kube.logs import LogFormat, configure_logs


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """Put logging back as it was."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("log_format", [LogFormat.CONSOLE, LogFormat.JSON])
@pytest.mark.parametrize("logger", ["structlog", "logging"])
def test_an_exception_is_logged_without_variables(
    log_format: LogFormat, logger: str, kept_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(log_format)
    password = "".join(["hun", "ter", "2"])
    try:
        raise ValueError(len(password))
    except ValueError:
        (structlog.get_logger() if logger == "structlog" else logging.getLogger("x")).exception("it broke")
    shown = capsys.readouterr().err
    assert "it broke" in shown
    assert password not in shown


TWO_WRITERS = """
import logging, sys, threading
import structlog
from sundial_kube.logs import LogFormat, configure_logs

sys.setswitchinterval(1e-6)
configure_logs(LogFormat.JSON)

def write(say):
    for number in range(2000):
        say(f"line {number}")

writers = [structlog.get_logger().info, logging.getLogger("x").info]
threads = [threading.Thread(target=write, args=[say]) for say in writers]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_lines_of_two_threads_are_whole() -> None:
    """Both ways to log write to the same stream; a line in two writes would be torn."""
    ended = subprocess.run([sys.executable, "-c", TWO_WRITERS], check=True, capture_output=True)
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert sorted(events) == sorted(f"line {number}" for number in range(2000) for _ in range(2))
