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


def original_sysctls(saved_by_others: Iterable[Mapping[str, str]], root: Path = ROOT) -> dict[str, str]:
    """Return the settings from before the first kubelet: saved by another cluster, else the present ones."""
    for saved in saved_by_others:
        if saved:
            return dict(saved)
    return {name: (root / name).read_text().strip() for name in CHANGED_BY_KUBELET if (root / name).exists()}


def sysctls_to_restore(
    own: Mapping[str, str], saved_by_others: Iterable[Mapping[str, str]]
) -> dict[str, str]:
    """Return what a cluster that ends has to write back: nothing while another still needs the kubelet's."""
    return {} if any(saved_by_others) else dict(own)


def restore_sysctls(saved: Mapping[str, str], root: Path = ROOT) -> None:
    """Write saved settings back where they differ."""
    for name, value in saved.items():
        if (root / name).read_text().strip() != value:
            (root / name).write_text(value)
