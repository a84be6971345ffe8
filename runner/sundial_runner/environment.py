"""What did Sundial tell this Pod? Its variables; a value that makes no sense counts as absent."""

from __future__ import annotations

import os

from sundial_runner.endings import NotRunnable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MESSAGE_BYTES = 4096
"""What kubelet keeps of a termination message."""
FEWEST_MESSAGE_BYTES = 64


def read_function() -> str:
    """Read the dotted path of the function; raises NotRunnable without one."""
    path = os.environ.get("SUNDIAL_FUNCTION")
    if not path:
        raise NotRunnable("SUNDIAL_FUNCTION is not set: it names what to run, as package.module.function")
    return path


def read_celery_task() -> str:
    """Read the name of the Celery task; empty for a function."""
    return os.environ.get("SUNDIAL_CELERY_TASK", "")


def read_celery_queue() -> str:
    """Read the queue to send the task to; empty for the one that the Celery application chooses."""
    return os.environ.get("SUNDIAL_CELERY_QUEUE", "")


def read_celery_app() -> str:
    """Read where the Celery application is, as in `celery -A`; empty for one made of the URLs."""
    return os.environ.get("SUNDIAL_CELERY_APP", "")


def is_waiting() -> bool:
    """Tell whether the end of the task is waited for."""
    return os.environ.get("SUNDIAL_CELERY_WAIT") != "false"


def read_run_id() -> str:
    """Read the id of the run; raises NotRunnable when it is no UUID."""
    import uuid

    try:
        return str(uuid.UUID(os.environ.get("SUNDIAL_RUN_ID", "")))
    except ValueError:
        raise NotRunnable("SUNDIAL_RUN_ID is no UUID: the id of the task is made of it") from None


def read_attempt() -> int:
    """Read which attempt of the run this is, from 1 on."""
    return max(1, int(_read_number("SUNDIAL_ATTEMPT", 1)))


def read_dispatch_seconds() -> float:
    """Read how long broker and result backend are tried before the task counts as not sent."""
    return _read_number("SUNDIAL_DISPATCH_SECONDS", 30.0) or 30.0


def read_timeout() -> float:
    """Read the timeout of the Job in seconds; 0 is none."""
    return _read_number("SUNDIAL_TIMEOUT_SECONDS", 0.0)


def read_args() -> dict[str, Any]:
    """Read the arguments; raises NotRunnable when they are no JSON object."""
    text = os.environ.get("SUNDIAL_ARGS") or "{}"
    if text == "{}":
        return {}
    import json

    try:
        args = json.loads(text)
    except (ValueError, RecursionError):
        args = None
    if not isinstance(args, dict):
        raise NotRunnable("SUNDIAL_ARGS is no JSON object")
    return args


def read_message_path() -> str:
    """Read where the kubelet looks for what is told of the run."""
    return os.environ.get("SUNDIAL_MESSAGE_PATH") or "/dev/termination-log"


def read_message_bytes() -> int:
    """Read how large the message may be."""
    most = _read_number("SUNDIAL_MESSAGE_BYTES", MESSAGE_BYTES)
    return int(min(max(most, FEWEST_MESSAGE_BYTES), MESSAGE_BYTES))


def read_grace() -> float:
    """Read how many seconds the Pod has from SIGTERM to its end."""
    return _read_number("SUNDIAL_GRACE_SECONDS", 30.0)


def _read_number(name: str, default: float) -> float:
    try:
        number = float(os.environ.get(name) or default)
    except ValueError:
        return default
    return number if 0 <= number < 1e9 else default  # neither NaN nor what no clock can add
