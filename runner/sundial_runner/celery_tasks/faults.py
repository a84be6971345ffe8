"""What is wrong when Celery raises something? Either it may pass, or nothing but a change helps."""

from __future__ import annotations

import os
import sys

from celery.exceptions import ImproperlyConfigured, SecurityError
from kombu.exceptions import OperationalError, SerializationError, SerializerNotInstalled

from sundial_runner.json_form import clean_text
from sundial_runner.redaction import Redactor

LASTING = (
    ImportError,  # of a transport that the image lacks
    LookupError,  # no such transport, no such queue
    ValueError,  # a URL that makes no sense, a result that is no JSON
    ImproperlyConfigured,
    SecurityError,
    SerializationError,
    SerializerNotInstalled,  # also: content that is not accepted
)
LONGEST_LINE = 1000


def is_lasting(error: Exception) -> bool:
    """Tell whether an error comes again however often it is tried."""
    return isinstance(error, LASTING) and not isinstance(error, OSError)  # a certificate's is both


def find_cause(error: BaseException) -> BaseException:
    """Find what a transport has raised inside of what kombu makes of it."""
    return error.__cause__ if isinstance(error, OperationalError) and error.__cause__ else error


def read_reply_code(error: BaseException) -> str:
    """Read the code that a broker gave with an error: AMQP's are numbers, others' texts."""
    return str(getattr(error, "reply_code", None) or getattr(error, "code", None) or "")


def say(text: str) -> None:
    """Write a line to the log, without secrets."""
    line = Redactor(os.environ).redact_text(clean_text(text))[:LONGEST_LINE]
    sys.stderr.write(f"sundial: {line}\n")
    sys.stderr.flush()
