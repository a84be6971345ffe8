"""The API's settings: environment variables that begin with SUNDIAL_API_."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseSettings):
    """Where the database is, and how long it may be asked and remembered for."""

    model_config = SettingsConfigDict(env_prefix="SUNDIAL_API_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    database_connections: int = Field(
        10, ge=1, le=200, description="How many connections a process may hold."
    )
    database_connect_seconds: int = Field(5, ge=1, le=60, description="How long connecting may take.")
    statement_seconds: float = Field(
        10.0, gt=0, le=600, description="How long a statement of a request may take."
    )
    lock_seconds: float = Field(5.0, gt=0, le=600, description="How long a statement may wait for a lock.")
    migration_seconds: float = Field(
        600.0, gt=0, description="How long one statement of a migration may take."
    )
    migration_lock_seconds: float = Field(
        5.0, gt=0, le=600, description="How long a migration may wait for a lock that the API holds."
    )
    migration_turn_seconds: float = Field(
        900.0, gt=0, description="How long to wait while another replica migrates."
    )
    history_days: int = Field(90, ge=1, le=36_500, description="How many days executions are kept.")
    history_runs: int = Field(50_000, ge=1, description="How many ended executions a job keeps at most.")


class Settings(DatabaseSettings):
    """What an installation of the API sets; the same for all its replicas."""
