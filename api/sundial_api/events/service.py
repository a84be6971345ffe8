"""What event streams need besides what all endpoints do: the log that is read once, and who listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sundial_api.deps import Services
from sundial_api.events.change_log import ChangeLog
from sundial_api.events.listeners import Listeners


@dataclass(frozen=True, slots=True)
class EventService:
    """What all streams of a process share."""

    changes: ChangeLog
    listeners: Listeners


@asynccontextmanager
async def run_events(services: Services) -> AsyncIterator[EventService]:
    """Read what changes until the block ends."""
    changes, settings = ChangeLog(services.engine, services.signatures), services.settings
    listeners = Listeners(settings.event_listeners, settings.event_listeners_per_caller, services.registry)
    reading = asyncio.create_task(changes.run(), name="changes")
    try:
        yield EventService(changes, listeners)
    finally:
        reading.cancel()
        await asyncio.wait([reading])
