"""What holds for an installation as a whole: how far its clock is to be trusted, and whether starts are held.

Why a single schedule is held back (suspended, paused) is told by `resources/suspension.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

MAX_SMALL_SKEW = timedelta(seconds=5)
MAX_SKEW = timedelta(seconds=60)
"""A clock that is further off starts nothing, and a stored instant that is further ahead is reset."""


class Trust(StrEnum):
    """How far the local clock is to be trusted, by its distance from the API server's."""

    IN_STEP = "in step"
    SKEWED = "skewed"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing of an installation starts, and what ends that, for people; none ends at an instant."""

    by: str
    until: str


@dataclass(frozen=True, slots=True)
class InstallationState:
    """`skew` is by how much the local clock is at least ahead of the API server's; behind it is negative.

    `starts_held_by` says what holds all starts, for people, and `starts_held_until` what ends that; both are
    empty while nobody holds them.
    """

    skew: timedelta = timedelta(0)
    starts_held_by: str = ""
    starts_held_until: str = ""

    @property
    def trust(self) -> Trust:
        """How far the local clock is to be trusted."""
        distance = abs(self.skew)
        if distance <= MAX_SMALL_SKEW:
            return Trust.IN_STEP
        return Trust.SKEWED if distance <= MAX_SKEW else Trust.UNTRUSTED

    @property
    def may_start(self) -> bool:
        """Tell whether anything may start now."""
        return not self.starts_held_by and self.trust is not Trust.UNTRUSTED

    def find_hold(self) -> Hold | None:
        """Find why nothing starts now, if nothing does: somebody's wish, or a clock that is not trusted."""
        if self.starts_held_by:
            return Hold(self.starts_held_by, self.starts_held_until)
        if self.trust is Trust.UNTRUSTED:
            until = f"the clocks are less than {MAX_SKEW.total_seconds():.0f} s apart"
            return Hold(describe_skew(self.skew), until)
        return None


def describe_skew(skew: timedelta) -> str:
    """Say how far off the local clock is."""
    direction = "ahead of" if skew > timedelta(0) else "behind"
    return f"the operator's clock is {abs(skew.total_seconds()):.0f} s {direction} the API server's"


def parse_hold(value: str | None) -> bool:
    """Read the hold of a ConfigMap: to be on the safe side, all but absent, empty and "false" holds."""
    return value is not None and value.strip().lower() not in ("", "false")
