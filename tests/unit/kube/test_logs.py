"""No log line shows the values of variables: those may be secrets."""

from __future__ import annotations

import logging
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
