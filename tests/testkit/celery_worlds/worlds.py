"""Celery as its users have it: a broker, workers, and runs that the runner's archive starts, as in a Pod."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from testkit.runner_processes import Ended

from sundial_core.runs.runner_archive import build_archive, build_program, read_sources
from sundial_devcluster.polling import until

USER_APP = Path(__file__).parents[2] / "celery_tasks" / "user_app"
QUEUES = "celery,file_queue,ranked_queue"


@dataclass(frozen=True)
class Surroundings:
    """Where runs and workers of a world are: their Python, their broker and result backend."""

    python: Path
    broker: str
    backend: str

    def name(self) -> dict[str, str]:
        """Name the URLs as a template does."""
        return {
            "CELERY_BROKER_URL": self.broker,
            "CELERY_RESULT_BACKEND": self.backend,
            "BROKER": self.broker,
            "BACKEND": self.backend,
        }


class Run:
    """A run as a process, with the files that a Pod would have."""

    def __init__(self, run_id: str, files: Path, command: list[str], environment: Mapping[str, str]) -> None:
        self.id = run_id
        self._message, self._log, self._out = (files.with_suffix(end) for end in (".message", ".log", ".out"))
        self._message.touch()
        own = {"PATH": os.defpath, "SUNDIAL_MESSAGE_PATH": str(self._message)}
        with self._log.open("wb") as log, self._out.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                cwd=USER_APP,
                env=own | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )

    def says(self, text: str) -> bool:
        """Tell whether the log has a text; raises AssertionError when the run has ended without."""
        return self._count(text) > 0

    def _count(self, text: str, wanted: int = 1) -> int:
        has_ended = self.process.poll() is not None
        found = (self._log.read_text() + self._out.read_text()).count(text)
        assert found >= wanted or not has_ended, self._log.read_text()
        return found

    def until_says(self, text: str, times: int = 1) -> None:
        """Wait until the log has a text, so many times."""
        until(lambda: self._count(text, times) >= times)

    def stop(self) -> None:
        """Send what the kubelet sends first."""
        self.process.send_signal(signal.SIGTERM)

    def signal_all(self, number: int) -> None:
        """Send a signal to both processes: SIGKILL is what a lost node does."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kill both processes."""
        self.signal_all(signal.SIGKILL)
        self.process.wait(60)

    def measure_message(self) -> int:
        """Measure the message in bytes."""
        return self._message.stat().st_size

    def finish(self) -> Ended:
        """Wait for the end."""
        self.process.wait(90)
        told = self._message.read_bytes()
        message = json.loads(told) if told else None
        return Ended(self.process.returncode, message, self._out.read_text(), self._log.read_text())


class Worker:
    """A worker as a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def is_ready(self) -> bool:
        """Tell whether the worker takes tasks; raises AssertionError when it has ended."""
        assert self.process.poll() is None, self._log.read_text()
        return " ready." in self._log.read_text()

    def kill(self) -> None:
        """Kill the worker and its pool, as an OOM or a lost node does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


class World:
    """A broker and a result backend that only one test uses, its workers and its runs."""

    def __init__(self, folder: Path, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self._folder = folder
        self._runs: list[Run] = []
        self._workers: list[Worker] = []
        self._marks = folder / "marks"
        self._marks.mkdir()
        self._program = self._mount(read_sources())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """End what still runs."""
        for run in self._runs:
            if run.process.poll() is None:
                run.kill()
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.kill()

    def use_backend(self, url: str) -> None:
        """Use another result backend from now on."""
        self.surroundings = replace(self.surroundings, backend=url)

    def change_source(self, file: str, constants: Mapping[str, str]) -> None:
        """Change constants of the runner of the runs to come: nobody waits minutes for a limit."""
        sources = read_sources()
        for old, new in constants.items():
            assert sources[file].count(old.encode()) == 1
            sources[file] = sources[file].replace(old.encode(), new.encode())
        self._program = self._mount(sources)

    def _mount(self, sources: Mapping[str, bytes]) -> str:
        """Put the runner where a Pod has it mounted, and return the program that starts it."""
        archive = build_archive(sources)
        file = self._folder / f"{archive.digest[:10]}.pyz"
        file.write_bytes(archive.data)
        return build_program(archive.digest, str(file))

    def start_worker(self, *options: str, queues: str = QUEUES, **environment: str) -> Worker:
        """Start a worker, prefork with two processes unless options say otherwise."""
        log = self._folder / f"worker{len(self._workers)}.log"
        name = f"w{len(self._workers)}@localhost"
        celery = [str(self.surroundings.python), "-m", "celery", "-A", "catalog", "worker", "-l", "INFO"]
        command = [*celery, "-n", name, "-Q", queues, "-c", "2", "--without-gossip", *options]
        own = {"PATH": os.defpath, "MARKS": str(self._marks), "C_FORCE_ROOT": "1", "HOME": str(self._folder)}
        with log.open("wb") as out:
            tied = ["setpriv", "--pdeathsig", "KILL", *command]
            process = subprocess.Popen(
                tied,
                cwd=USER_APP,
                env=own | self.surroundings.name() | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        worker = Worker(process, log)
        self._workers.append(worker)
        until(worker.is_ready)
        return worker

    def start(self, task: str, args: object = None, run_id: str = "", **environment: str) -> Run:
        """Start a run of a task; variables of the Pod's environment replace those of the world."""
        run_id = run_id or str(uuid.uuid4())
        told = {
            "SUNDIAL_CELERY_TASK": task,
            "SUNDIAL_ARGS": json.dumps(args or {}),
            "SUNDIAL_RUN_ID": run_id,
            "MARKS": str(self._marks),
        }
        command = [str(self.surroundings.python), "-c", self._program]
        files = self._folder / f"run{len(self._runs)}"
        run = Run(run_id, files, command, self.surroundings.name() | told | environment)
        self._runs.append(run)
        return run

    def start_attempt(
        self, number: int, first: Run, task: str, args: object = None, **environment: str
    ) -> Run:
        """Start a further attempt of a run."""
        return self.start(task, args, first.id, SUNDIAL_ATTEMPT=str(number), **environment)

    def run(self, task: str, args: object = None, **environment: str) -> Ended:
        """Run a task to its end."""
        return self.start(task, args, **environment).finish()

    def read_marks(self, task_id: str) -> list[str]:
        """Read what a task has left behind, line by line."""
        marks = self._marks / task_id
        return marks.read_text().splitlines() if marks.exists() else []

    def until_begun(self, task_id: str) -> int:
        """Wait until a task has begun, and return the process that it runs in."""
        first = until(lambda: self.read_marks(task_id))[0]
        return int(first.split()[1]) if " " in first else 0

    def release(self, task_id: str) -> None:
        """Let a task that holds go on to its end."""
        (self._marks / f"release-{task_id}").touch()

    def count_starts(self) -> int:
        """Count how many times tasks of this world have begun."""
        marks = (path for path in self._marks.iterdir() if not path.name.startswith(("release-", "died-")))
        return sum(mark.startswith("start") for path in marks for mark in path.read_text().splitlines())
