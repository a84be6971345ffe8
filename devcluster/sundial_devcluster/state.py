"""What is recorded about a cluster, so that another process can use it, end it or clean up after a crash?"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sundial_devcluster.addresses import Addresses
from sundial_devcluster.config import ClusterConfig
from sundial_devcluster.folders import clusters_folder, locked
from sundial_devcluster.processes import ProcessId

FILE = "cluster.json"


class Phase(StrEnum):
    """How far the start of a cluster has come."""

    STARTING = "starting"
    READY = "ready"


@dataclass(frozen=True)
class State:
    """Hold all that is recorded about a cluster."""

    config: ClusterConfig
    folder: Path
    addresses: Addresses
    starter: ProcessId
    phase: Phase = Phase.STARTING
    programs: dict[str, Path] = field(default_factory=dict)
    processes: dict[str, ProcessId] = field(default_factory=dict)
    box: ProcessId | None = None
    sysctls: dict[str, str] = field(default_factory=dict)


_states = TypeAdapter(State)


def write_state(state: State) -> None:
    """Replace the record of a cluster in one step."""
    part = state.folder / f"{FILE}.part"
    part.write_bytes(_states.dump_json(state, indent=2))
    part.replace(state.folder / FILE)


def read_state(folder: Path) -> State | None:
    """Return the record of a cluster, or None when there is none or one that this version cannot read."""
    try:
        return _states.validate_json((folder / FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def all_states() -> list[State]:
    """Return the records of all clusters, running or not."""
    folder = clusters_folder()
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [state for entry in entries if entry.is_dir() and (state := read_state(entry))]


def clusters_lock() -> AbstractContextManager[None]:
    """Hold the lock under which names, ports and networks are given out and taken back."""
    return locked(clusters_folder())
