"""What a Pod starts: the run that its environment describes, or the check of a dotted path.

Only what a run needs before its function is imported here: each millisecond is one of every run.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run what the arguments ask for, and return the exit code."""
    if len(sys.argv) > 1:
        from sundial_runner.command import run_command

        return run_command(sys.argv[1:])
    from sundial_runner.supervisor import supervise

    return supervise()


if __name__ == "__main__":
    sys.exit(main())
