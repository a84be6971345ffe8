"""The command sundial-import without a cluster: its dry run, its end by Ctrl-C, and what it never shows."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from testkit.original_installation import OriginalInstallation
from testkit.processes.imports import ImportCommand

from sundial_devcluster.polling import until

WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
def command(original: OriginalInstallation, tmp_path: Path) -> ImportCommand:
    """Give the command without a cluster and without Sundial's database."""
    return ImportCommand(original, tmp_path)


def test_without_templates_it_says_what_is_missing(command: ImportCommand) -> None:
    command.original.fill(20, 100)
    done = command.run()
    assert done.returncode == 3
    assert done.stdout.count("no template says its image, command, environment and namespace") == 2
    assert "20 the same" in done.stdout
    assert "history: 100 executions, 100 would be added" in done.stdout


def test_the_sample_needs_nothing(command: ImportCommand) -> None:
    del command.environment["SUNDIAL_IMPORT_DATABASE_URL"]
    done = command.run("--print-templates")
    assert (done.returncode, "celery_task:" in done.stdout, done.stderr) == (0, True, "")


def test_ctrl_c_ends_it_cleanly(command: ImportCommand) -> None:
    with psycopg.connect(command.original.url) as other, psycopg.connect(command.original.url) as watcher:
        watcher.autocommit = True
        other.execute("LOCK TABLE scheduled_job_executions IN ACCESS EXCLUSIVE MODE")
        process = command.start(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: watcher.execute(WAITING).fetchone() == (1,))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"Interrupted.\n")


def test_a_person_sees_how_far_it_is(command: ImportCommand) -> None:
    command.original.fill(3, 1_500)
    ours, theirs = pty.openpty()
    process = command.start(stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # as Linux says that the other end is closed
        while part := os.read(ours, 65_536):
            shown += part
    os.close(ours)
    assert (process.wait(60), b"1500/1500" in shown, b"3/3" in shown) == (3, True, True)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param({}, "SUNDIAL_IMPORT_DATABASE_URL: is needed", id="none"),
        pytest.param(
            {"SUNDIAL_IMPORT_DATABASE_URL": "postgresql://app:hunter2@127.0.0.1:1/app"},
            "the original's database: connection failed",
            id="nobody-there",
        ),
        pytest.param(
            {"SUNDIAL_IMPORT_DATABASE_URL": "mysql://app:hunter2@127.0.0.1/app"},
            "must begin with postgresql://",
            id="another-database",
        ),
    ],
)
def test_trouble_is_one_sentence_without_passwords(
    command: ImportCommand, environment: dict[str, str], said: str
) -> None:
    del command.environment["SUNDIAL_IMPORT_DATABASE_URL"]
    command.environment |= environment
    done = command.run()
    assert (done.returncode, done.stdout, said in done.stderr) == (1, "", True), done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        pytest.param(["--apply"], 1, "--apply needs --templates", id="no-templates"),
        pytest.param(["--templates", "/none", "--apply"], 1, "/none cannot be read", id="no-file"),
        pytest.param(["--time-zone", "Africa/Kairo"], 2, "did you mean Africa/Cairo", id="zone"),
        pytest.param(["--instants", "0"], 2, "from 1 to 1000", id="instants"),
    ],
)
def test_a_mistake_is_told(command: ImportCommand, options: list[str], status: int, said: str) -> None:
    done = command.run(*options)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr


def test_history_without_a_database_is_refused(command: ImportCommand) -> None:
    command.write_templates("team")
    done = command.run("--templates", str(command.templates), "--apply")
    assert (done.returncode, "the history needs SUNDIAL_API_DATABASE_URL" in done.stderr) == (1, True)


def test_tables_of_an_earlier_release_are_told_by_a_dry_run(
    command: ImportCommand, empty_database: str
) -> None:
    command.environment["SUNDIAL_API_DATABASE_URL"] = empty_database
    done = command.run()
    assert (done.returncode, "sundial-database upgrade" in done.stdout) == (3, True), done.stdout


def test_tables_of_an_earlier_release_are_refused(command: ImportCommand, empty_database: str) -> None:
    command.environment["SUNDIAL_API_DATABASE_URL"] = empty_database
    command.write_templates("team")
    done = command.run("--templates", str(command.templates), "--apply")
    assert (done.returncode, "sundial-database upgrade" in done.stderr) == (1, True), done.stderr
    assert "nothing was written" in done.stderr
