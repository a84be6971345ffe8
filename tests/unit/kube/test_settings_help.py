"""Environment variables that cannot be used: which one it is, and what to write."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sundial_kube.settings_help import explain_unusable


class Settings(BaseSettings):
    """Settings of every type that a command of ours has."""

    model_config = SettingsConfigDict(env_prefix="TOOL_")

    database: str = Field(description="postgresql://USER@HOST/DATABASE")
    hold: bool = False
    port: int = Field(1, le=65535)
    seconds: float = 1.0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({}, "TOOL_DATABASE: is needed: postgresql://USER@HOST/DATABASE", id="missing"),
        pytest.param({"DATABASE": "x", "HOLD": "maybe"}, "TOOL_HOLD: must be true or false", id="boolean"),
        pytest.param({"DATABASE": "x", "PORT": "web"}, "TOOL_PORT: must be a whole number", id="integer"),
        pytest.param({"DATABASE": "x", "SECONDS": "long"}, "TOOL_SECONDS: must be a number", id="number"),
        pytest.param(
            {"DATABASE": "x", "PORT": "70000", "HOLD": "maybe"},
            "TOOL_HOLD: must be true or false; TOOL_PORT: Input should be less than or equal to 65535",
            id="two",
        ),
    ],
)
def test_what_to_write_is_said(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"TOOL_{name}", value)
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert explain_unusable(Settings, refusal.value) == words
