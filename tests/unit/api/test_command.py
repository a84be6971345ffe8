"""What does the API's command refuse to start with? It says what to set instead, and exits with 1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sundial_api.addresses import find_obstacle
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
        pytest.param({"logs_link": "javascript:alert(1)"}, "begins with https://", id="a link that is none"),
        pytest.param({"docs_link": "https://"}, "begins with https://", id="a link to nowhere"),
        pytest.param(
            {"logs_link": "https://me:secret@logs.example.org"}, "user or a password", id="a password to tell"
        ),
        pytest.param({"log_tail_bytes": "16385"}, "SUNDIAL_API_LOG_TAIL_BYTES", id="too much of a log"),
        pytest.param(
            {"log_tail_bytes": "1", "database_connections": "1"},
            "SUNDIAL_API_DATABASE_CONNECTIONS of 2",
            id="no connection for logs",
        ),
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


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        pytest.param("SUNDIAL_NAMESPACE", "Bad Name", "such as sundial-system", id="namespace"),
        pytest.param("SUNDIAL_NAMESPACE", "", "such as sundial-system", id="no namespace"),
        pytest.param("SUNDIAL_RELEASE", "Sundial", "such as sundial", id="release"),
        pytest.param("SUNDIAL_WATCH_NAMESPACES", "team_a", "such as sundial-system", id="watched"),
        pytest.param("SUNDIAL_API_NAMESPACE", "team.a", "such as sundial-system", id="of jobs"),
    ],
)
def test_names_that_no_cluster_takes_are_refused(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os, "environ", build_environment({"database_url": URL, "auth": "none"}) | {name: value}
    )
    with pytest.raises(SystemExit) as refusal:
        main([])
    assert str(refusal.value.code).startswith(f"sundial-api: {name}: ")
    assert words in str(refusal.value.code)


def test_a_port_in_use_is_told_before_anything_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = build_environment({"database_url": URL, "auth": "none", "port": str(port)})
        monkeypatch.setattr(os, "environ", settings)
        with pytest.raises(SystemExit) as refusal:
            main([])
    assert refusal.value.code == (
        f"sundial-api: cannot listen at 127.0.0.1:{port}: Address already in use;"
        " set SUNDIAL_API_PORT to another port"
    )


@pytest.mark.parametrize(
    ("host", "words"),
    [
        pytest.param("127.0.0.1", None, id="free"),
        pytest.param("no.such.host.invalid", "set SUNDIAL_API_HOST", id="no such host"),
        pytest.param("192.0.2.1", "set SUNDIAL_API_HOST", id="not of this machine"),
    ],
)
def test_where_the_api_cannot_listen_is_told(host: str, words: str | None) -> None:
    obstacle = find_obstacle(host, 0)
    assert obstacle is None if words is None else words in str(obstacle)
