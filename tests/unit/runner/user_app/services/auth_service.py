"""A service of a user: an object in its module."""


class AuthService:
    async def cleanup_all_expired_sessions(self, retention_days: int = 7) -> dict:
        return {"sessions_deleted": 0, "retention_days": retention_days}


auth_service = AuthService()
