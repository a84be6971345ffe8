"""Sessions of people who have signed in."""

from __future__ import annotations

import asyncio


class AuthService:
    """Knows the sessions; the application has one, an attribute of this module."""

    async def cleanup_all_expired_sessions(self, retention_days: int = 7) -> dict[str, int]:
        """Delete sessions that ended longer ago than this; the example has none."""
        await asyncio.sleep(0.05)
        return {"sessions_deleted": 0, "retention_days": retention_days}


auth_service = AuthService()
