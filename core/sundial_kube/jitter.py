"""Waits of random length: who failed together does not come back together."""

from __future__ import annotations

import random


def with_jitter(seconds: float) -> float:
    """Shorten a wait by up to a half, at random."""
    return seconds * random.uniform(0.5, 1.0)
