"""What became of slots, as it is kept until a status holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """A verdict on one slot, or on `count` slots from `first` to `last` that share it."""

    first: datetime
    last: datetime
    count: int
    verdict: Verdict
    reason: Reason
    message: str = ""
