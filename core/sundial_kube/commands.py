"""How a command begins: Ctrl-C ends it with one line, also while its modules are still being loaded.

It imports nothing but what Python has loaded already: whoever is quick interrupts that too. SIGTERM ends it
as well: the first process of a container ignores it for as long as nobody takes it.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

INTERRUPTED, TERMINATED = 130, 143
WORDS = "Interrupted.\n"


def run_command(module: str) -> NoReturn:
    """Load a module and run its `main`; exits with what that returns, or with 130 when interrupted."""
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _stop)
    main = import_module(module).main
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stderr.write(WORDS)
        sys.exit(INTERRUPTED)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """End at once: an import that is broken off raises whatever the imported makes of it."""
    os.write(2, WORDS.encode())
    os._exit(INTERRUPTED)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as a process does that has not taken the signal; what serves takes it later."""
    os._exit(TERMINATED)
