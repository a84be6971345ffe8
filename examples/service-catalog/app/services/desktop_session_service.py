"""Sessions on remote desktops."""

from __future__ import annotations


class DesktopSessionService:
    """Knows who is on which desktop."""

    @staticmethod
    async def cleanup_stale_sessions(timeout_minutes: int = 20) -> int:
        """End sessions without a sign of life for this long; returns how many."""
        return 0 if timeout_minutes > 60 else 2
