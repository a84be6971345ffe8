"""Which rows of the original could not be taken as they are? Counted all, and some of each sort are told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

EXAMPLES = 20


@dataclass
class Oddities:
    """What was odd, by sort; of each sort the first few rows are kept."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, sort: str, which: str) -> None:
        """Note a row; sorts are sentences of ours, never what a row says."""
        self.counts[sort] += 1
        if self.counts[sort] <= EXAMPLES:
            self.examples.setdefault(sort, []).append(which)
