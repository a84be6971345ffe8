"""What does the API's command refuse to start with? It says what to set instead, and exits with 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sundial_api.main import main

URL = "postgresql://sundial:secret@127.0.0.1:1/sundial"


def build_environment(settings: dict[str, str]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SUNDIAL_")}
    return own | {f"SUNDIAL_API_{name.upper()}": value for name, value in settings.items()}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param(
            {"auth": "none", "host": "0.0.0.0"}, "loopback only", id="nobody identified, everywhere"
        ),
        pytest.param({"auth": "none", "host": "::"}, "loopback only", id="the same by IPv6"),
        pytest.param({"auth": "none", "host": "10.0.0.5"}, "loopback only", id="at one address"),
        pytest.param({"auth": "none", "host": "example.org"}, "loopback only", id="at a name"),
        pytest.param({"auth": "oidc"}, "SUNDIAL_API_OIDC_ISSUER", id="no provider"),
        pytest.param(
            {"auth": "oidc", "oidc_issuer": "http://sso.example.org", "oidc_audience": "x"},
            "https://",
            id="keys in plain text",
        ),
        pytest.param(
            {"database_url": "mysql://root@127.0.0.1/x"}, "must begin with postgresql://", id="no Postgres"
        ),
        pytest.param({"auth": "magic"}, "SUNDIAL_API_AUTH", id="no such mode"),
        pytest.param({"time_zone": "Mars/Olympus"}, "SUNDIAL_API_TIME_ZONE", id="no such zone"),
    ],
)
def test_unsafe_settings_are_refused(
    settings: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", build_environment({"database_url": URL} | settings))
    with pytest.raises(SystemExit) as refusal:
        main([])
    assert words in str(refusal.value.code)
    assert "secret" not in str(refusal.value.code)


def test_database_is_needed_and_no_traceback_shown() -> None:
    command = [sys.executable, "-m", "sundial_api"]
    ended = subprocess.run(
        command, env=build_environment({}), capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("sundial-api: SUNDIAL_API_DATABASE_URL")


def test_without_a_cluster_nothing_is_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = str(tmp_path / "kubeconfig")
    settings = build_environment({"database_url": URL}) | {"KUBECONFIG": missing}
    monkeypatch.setattr(os, "environ", settings)
    with pytest.raises(SystemExit) as refusal:
        main([])
    assert refusal.value.code == f"sundial-api: KUBECONFIG names a file that is not there: {missing}"
