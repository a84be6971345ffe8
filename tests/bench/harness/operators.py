"""The operator as a process of its own: started and ended, its metrics read from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
from bench.harness.arena import Foreseen, read_cpu_seconds, read_memory_mb

from sundial_devcluster.polling import until_async

STOP_SECONDS = 20
START_SECONDS = 120


class OperatorEnded(Foreseen):
    """The operator ended by itself; the text is the end of its log."""


@dataclass
class Operator:
    """A running operator; `spawned_at` is on the monotonic clock."""

    process: asyncio.subprocess.Process
    log: Path
    logged_before: int
    spawned_at: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def age_seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.spawned_at

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that it has used."""
        return read_cpu_seconds(self.pid)

    def read_memory_mb(self) -> dict[str, float]:
        """Read how much memory is resident now, and was at most."""
        return {
            "resident_mb": read_memory_mb(self.pid, "VmRSS"),
            "peak_mb": read_memory_mb(self.pid, "VmHWM"),
        }

    async def scrape(self) -> dict[str, float]:
        """Read its metrics by name and labels; nothing before it serves them."""
        port = self._find_port()
        if port is None:
            return {}
        try:
            async with aiohttp.request("GET", f"http://127.0.0.1:{port}/metrics") as answer:
                return parse_metrics(await answer.text())
        except aiohttp.ClientError:
            return {}

    async def wait_planned(self, schedules: int, timeout: float = START_SECONDS) -> None:
        """Wait until it leads, has looked at each schedule, and nothing waits to be decided or written."""

        async def is_planned() -> bool:
            if self.process.returncode is not None:
                raise ChildProcessError("the operator ended")
            return is_idle(await self.scrape(), schedules)

        await until_async(is_planned, timeout)

    def _find_port(self) -> int | None:
        with self.log.open("rb") as log:
            log.seek(self.logged_before)
            for line in log:
                if b'"event": "serving health' in line:
                    return int(orjson.loads(line)["port"])
        return None


@asynccontextmanager
async def run_operator(kubeconfig: Path, log: Path, **settings: str) -> AsyncIterator[Operator]:
    """Run Sundial's operator, with its defaults but for `settings`; end it with the block.

    Raises OperatorEnded when the block fails because the operator has ended.
    """
    left_out = ("SUNDIAL_", "PYTHONDONTWRITEBYTECODE")  # an installed operator is compiled
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment |= {"KUBECONFIG": str(kubeconfig), "SUNDIAL_HEALTH_PORT": "0"} | settings
    logged_before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sundial_operator"),
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Operator(process, log, logged_before)
    except Exception as error:
        if process.returncode is None:
            raise
        raise OperatorEnded(log.read_text()[-2000:]) from error
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def parse_metrics(text: str) -> dict[str, float]:
    """Read Prometheus' text format; a sample's key is its name with its labels."""
    samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {key: float(value) for key, _, value in samples}


def is_idle(metrics: dict[str, float], schedules: int) -> bool:
    """Tell by the metrics whether each schedule has been looked at, and nothing is left to do now."""
    return (
        metrics.get("sundial_leader") == 1
        and metrics.get("sundial_reconcile_seconds_count", 0) >= schedules
        and metrics.get("sundial_decisions_waiting") == 0
        and metrics.get("sundial_queue_depth") == 0
    )
