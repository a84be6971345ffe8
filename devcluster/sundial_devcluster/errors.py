"""What can go wrong with a throw-away cluster, as one sentence a user can act on."""

from __future__ import annotations


class ClusterError(Exception):
    """Say in one sentence what failed; lines after the first are the tail of the failing program's log."""


class KubectlError(ClusterError):
    """Carry what kubectl wrote to standard error."""

    def __init__(self, command: str, stderr: str) -> None:
        super().__init__(f"kubectl {command} failed: {stderr.strip()}")
        self.stderr = stderr
