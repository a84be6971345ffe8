"""What can go wrong with a release, as sentences that say what to do."""

from __future__ import annotations


class ReleaseError(Exception):
    """Say what failed and what to do about it."""
