"""How a command begins: Ctrl-C ends it with one line, also while its modules are still being loaded.

It imports nothing but what Python has loaded already: whoever is quick interrupts that too. The product's
commands have theirs in sundial_kube, which the demo and its cluster do not know.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
WORDS = "Interrupted.\n"


def run_command(module: str) -> NoReturn:
    """Load a module and run its `main`; exits with what that returns, or with 130 when interrupted."""
    signal.signal(signal.SIGINT, _end)
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
