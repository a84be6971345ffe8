"""The signals as plain numbers: the module `signal` makes enums of them, for milliseconds of each run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

__all__ = ["signal"]
