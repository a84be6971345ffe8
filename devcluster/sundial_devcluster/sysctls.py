"""Which host-wide settings does a kubelet change, and how do they get back? No namespace holds these six."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path("/proc/sys")
CHANGED_BY_KUBELET = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def original_sysctls(saved_by_others: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the settings from before the first kubelet: saved by another cluster, else the present ones."""
    for saved in saved_by_others:
        if saved:
            return dict(saved)
    return {name: (ROOT / name).read_text().strip() for name in CHANGED_BY_KUBELET if (ROOT / name).exists()}


def restore_sysctls(saved: Mapping[str, str]) -> None:
    """Write saved settings back where they differ."""
    for name, value in saved.items():
        if (ROOT / name).read_text().strip() != value:
            (ROOT / name).write_text(value)
