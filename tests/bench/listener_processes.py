"""The two processes of the bench of listeners: an API that serves, and listeners that read its events.

`serve URL` prints the port; `listen PORT COUNT` prints a line when all listen and, when its standard input
ends, how many events each of them has heard, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvicorn
from testkit.api_apps import build_services

from sundial_api.main import PREFIX

MANY = {"event_listeners": 100_000, "event_listeners_per_caller": 100_000}
MARK = b"\nevent: "
AT_ONCE = 50
"""How many listeners come at the same time: the API answers 200 requests at once, and refuses more."""


def say(word: object) -> None:
    """Write a line for the process that started this one."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class _Announced(uvicorn.Server):
    """A server that prints its port."""

    async def startup(self, *arguments: object, **how: object) -> None:
        await super().startup(*arguments, **how)  # type: ignore[arg-type]
        say(self.servers[0].sockets[0].getsockname()[1])


async def serve(url: str) -> None:
    """Serve the API of a database until told to stop."""
    async with build_services(url, settings=MANY) as application:
        config = uvicorn.Config(
            application, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
        await _Announced(config).serve()


async def listen(port: int, count: int) -> None:
    """Listen so many times until standard input ends; one who is not heard any more ends it all."""
    heard = [0] * count
    places, all_greeted = asyncio.Semaphore(AT_ONCE), asyncio.Barrier(count + 1)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_follow(port, heard, number, places, all_greeted)) for number in range(count)
        ]
        await all_greeted.wait()
        say("listening")
        await asyncio.to_thread(sys.stdin.read)
        say(json.dumps(heard))
        for task in tasks:
            task.cancel()


async def _follow(
    port: int, heard: list[int], number: int, places: asyncio.Semaphore, all_greeted: asyncio.Barrier
) -> None:
    async with places:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        writer.write(f"GET {PREFIX}/events HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"retry: ")
        assert head.startswith(b"HTTP/1.1 200"), head
    await all_greeted.wait()
    rest = b""
    while data := await reader.read(2**20):
        data = rest + data
        heard[number] += data.count(MARK)
        rest = data[-(len(MARK) - 1) :]
    raise ConnectionError("the stream ended")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2]))
    else:
        asyncio.run(listen(int(sys.argv[2]), int(sys.argv[3])))
