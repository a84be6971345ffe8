"""`python -m sundial_api.mirror`: the mirror alone, as a process of its own, until a signal."""

from __future__ import annotations

import asyncio
import signal

from prometheus_client import REGISTRY

from sundial_api.db.engine import build_engine
from sundial_api.mirror.mirror import Mirror
from sundial_api.mirror.settings import MirrorSettings
from sundial_api.settings import DatabaseSettings
from sundial_kube.client import KubeClient
from sundial_kube.login import load_configuration
from sundial_kube.logs import LogFormat, configure_logs


async def run() -> None:
    """Mirror until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = DatabaseSettings()
    engine = build_engine(settings)
    async with KubeClient(await load_configuration(), user_agent="sundial-api") as client:
        mirror = Mirror(engine, client, MirrorSettings().scope, settings, REGISTRY)
        mirror.start()
        await stop.wait()
        await mirror.stop()
    await engine.dispose()


if __name__ == "__main__":
    configure_logs(LogFormat.AUTO)
    asyncio.run(run())
