"""Where is the original's database? An environment variable: an option would show its password."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from sundial_api.db.engine import UnusableUrl


class ImportSettings(BaseSettings):
    """What the import needs to know beside its options."""

    model_config = SettingsConfigDict(env_prefix="SUNDIAL_IMPORT_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(
        description="The original's database: postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    )


def parse_original_url(text: str) -> str:
    """Give the URL as libpq takes it, whichever driver the original named; raises UnusableUrl."""
    name = "SUNDIAL_IMPORT_DATABASE_URL"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UnusableUrl(f"{name} is not a URL; write postgresql://USER@HOST/DATABASE") from None
    if url.get_backend_name() not in ("postgres", "postgresql"):
        raise UnusableUrl(f"{name} must begin with postgresql://")
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
