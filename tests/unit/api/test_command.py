"""What does the API's command refuse to start with? It says what to set instead, and exits with 1."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

URL = "postgresql://sundial:secret@127.0.0.1:1/sundial"


def run(**settings: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SUNDIAL_")}
    own |= {f"SUNDIAL_API_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "sundial_api"]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=60)


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
        pytest.param({"auth": "magic"}, "SUNDIAL_API_AUTH", id="no such mode"),
        pytest.param({"time_zone": "Mars/Olympus"}, "SUNDIAL_API_TIME_ZONE", id="no such zone"),
    ],
)
def test_unsafe_settings_are_refused(settings: dict[str, str], words: str) -> None:
    ended = run(database_url=URL, **settings)
    assert ended.returncode == 1
    assert words in ended.stderr
    assert "secret" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_database_is_needed() -> None:
    ended = run()
    assert (ended.returncode, "SUNDIAL_API_DATABASE_URL" in ended.stderr) == (1, True)
