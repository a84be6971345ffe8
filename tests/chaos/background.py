"""What goes on in a thread while something else is done."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Background(ABC):
    """Runs in a thread of its own while it is open; a context manager."""

    def __init__(self, name: str, end_seconds: float) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._end_seconds = end_seconds

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop, and wait for the thread so many seconds; nothing when that has been done."""
        self._stopping.set()
        self._thread.join(self._end_seconds)

    @abstractmethod
    def _run(self) -> None:
        """Go on until `_stopping` is set."""
