"""Does the writer say whether starts wait for their turn? What has only changed gives way to them."""

import asyncio

import pytest

from sundial_operator.writer import Priority, Writer


@pytest.mark.parametrize(
    ("submitted", "waits"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([Priority.START], False, id="the only start is under way"),
        pytest.param([Priority.START, Priority.START], True, id="one more than there is room for"),
        pytest.param([Priority.START, Priority.STATUS], False, id="only a status waits"),
        pytest.param([Priority.START, Priority.STATUS, Priority.START], True, id="a start before a status"),
    ],
)
async def test_starts_that_wait(submitted: list[Priority], waits: object) -> None:
    writer, answered = Writer(limit=1), asyncio.Event()

    async def write() -> None:
        await answered.wait()

    for priority in submitted:
        writer.submit(priority, write)
    assert writer.has_starts_waiting is waits
    answered.set()
    await writer.drain(1)
