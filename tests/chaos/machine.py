"""How busy was the machine with others' work? Figures of time are worth nothing where others took the cores.

Others' is what all processes used (/proc/stat) less what this one, its ended children and its living
descendants did. What a hypervisor took away (steal) is told apart; interrupts are nobody's.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chaos.background import Background
from chaos.crew import read_utc_clock

SAMPLE_SECONDS = 2.0
MINUTE = 60.0
TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of all cores together, from some beginning: all there were, used, stolen, and used by us."""

    at: datetime
    total: float
    used: float
    stolen: float
    own: float


@dataclass(frozen=True, slots=True)
class Busyness:
    """Shares of all cores, from 0 to 1: of others in all and in the worst minute, stolen, and of this run."""

    others: float
    worst: float
    worst_at: datetime | None
    stolen: float
    own: float


def measure_busyness(samples: Sequence[Sample]) -> Busyness:
    """Measure shares from samples in their order; the worst minute begins with any of them."""
    if len(samples) < 2:
        return Busyness(0.0, 0.0, None, 0.0, 0.0)
    first, last = samples[0], samples[-1]
    spans = list(_list_minutes(samples))
    worst, worst_at = max((_find_others(begin, end), begin.at) for begin, end in spans)
    total = last.total - first.total
    stolen, own = last.stolen - first.stolen, last.own - first.own
    return Busyness(_find_others(first, last), worst, worst_at, stolen / total, own / total)


def _list_minutes(samples: Sequence[Sample]) -> Iterator[tuple[Sample, Sample]]:
    """List the beginnings and ends of all minutes; one that is shorter only where the whole is."""
    end = 0
    for number, begin in enumerate(samples):
        while end < len(samples) - 1 and (samples[end].at - begin.at).total_seconds() < MINUTE:
            end += 1
        if number and (samples[end].at - begin.at).total_seconds() < MINUTE:
            return
        yield begin, samples[end]


def _find_others(begin: Sample, end: Sample) -> float:
    """Find others' share between two samples; an orphan of ours that has ended may make it negative."""
    others = (end.used - begin.used) - (end.own - begin.own)
    return max(0.0, others / (end.total - begin.total))


class Machine(Background):
    """Samples the machine while it is open; a context manager."""

    def __init__(self) -> None:
        super().__init__("machine", 10)
        self._samples: list[Sample] = []

    @property
    def busyness(self) -> Busyness:
        """What has been measured so far."""
        return measure_busyness(tuple(self._samples))

    def _run(self) -> None:
        while True:
            self._samples.append(take_sample())
            if self._stopping.wait(SAMPLE_SECONDS):
                return


def take_sample() -> Sample:
    """Read how much of the cores was used until now."""
    user, nice, system, idle, waiting, irq, softirq, stolen = _read_cores()
    used = user + nice + system
    total = used + idle + waiting + irq + softirq + stolen
    return Sample(read_utc_clock(), total, used, stolen, _measure_own())


def _read_cores() -> list[float]:
    line = (PROC / "stat").read_text().splitlines()[0]
    return [int(word) / TICKS for word in line.split()[1:9]]


def _measure_own() -> float:
    """Measure what this process, its ended children and its living descendants have used."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() + children.ru_utime + children.ru_stime
    parents, used = _read_processes()
    return own + sum(seconds for pid, seconds in used.items() if _is_descendant(pid, parents))


def _read_processes() -> tuple[dict[int, int], dict[int, float]]:
    """Read the parent of each process, and what it and its own ended children have used."""
    parents, used = {}, {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                words = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(words[1])
                used[int(folder.name)] = sum(map(int, words[11:15])) / TICKS
    return parents, used


def _is_descendant(pid: int, parents: dict[int, int]) -> bool:
    this = os.getpid()
    while pid in parents:
        pid = parents[pid]
        if pid == this:
            return True
    return False
