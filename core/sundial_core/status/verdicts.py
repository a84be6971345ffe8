"""What became of slots, as it is kept until a status holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """A verdict on one slot, or on several in a row that share it."""

    first: datetime
    """The oldest of the slots."""
    last: datetime
    """The newest of the slots."""
    count: int
    """How many slots they are."""
    verdict: Verdict
    reason: Reason
    message: str = ""
