"""`python -m sundial_clock`: Ctrl-C while its modules are still being loaded ends it with one line."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> int:
    """Load the command and run it; returns the exit status."""
    signal.signal(signal.SIGINT, _end)
    from sundial_clock.command import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, b"Interrupted.\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
