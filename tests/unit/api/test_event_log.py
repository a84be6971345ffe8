"""Where may a listener go on, and what is it given next? The log without a database."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from sundial_api.auth.tokens import Caller
from sundial_api.events import tail
from sundial_api.events.places import (
    MAX_BEHIND,
    Beginning,
    LogPlace,
    LogState,
    ResetReason,
    find_beginning,
)
from sundial_api.events.rights import compute_seconds
from sundial_api.events.tail import Change, Piece, Tail
from sundial_api.http.errors import HTTPProblem

LOG = "a" * 32
OTHER = "b" * 32
STATE = LogState(LOG, newest=100_000, issued=100_005, forgotten=95_000)
END = LogPlace(LOG, 100_000)


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [
        pytest.param(None, Beginning(END), id="no id"),
        pytest.param("", Beginning(END), id="an empty one"),
        pytest.param(f"{LOG}-100000", Beginning(END), id="the newest"),
        pytest.param(f"{LOG}-95000", Beginning(LogPlace(LOG, 95_000)), id="nothing forgotten since"),
        pytest.param(f"{LOG}-94999", Beginning(END, ResetReason.TOO_FAR_BEHIND), id="a job is forgotten"),
        pytest.param(
            f"{LOG}-100005", Beginning(LogPlace(LOG, 100_005)), id="of a row that has gone meanwhile"
        ),
        pytest.param(f"{LOG}-100006", Beginning(END, ResetReason.UNKNOWN_ID), id="never given"),
        pytest.param(f"{OTHER}-100006", Beginning(END, ResetReason.OTHER_DATABASE), id="another's"),
        pytest.param("100000", Beginning(END, ResetReason.UNKNOWN_ID), id="a plain number"),
        pytest.param(f"{LOG}-100000 ", Beginning(END, ResetReason.UNKNOWN_ID), id="a blank more"),
    ],
)
def test_where_a_caller_begins(event_id: str | None, expected: Beginning) -> None:
    assert find_beginning(event_id, STATE) == expected


def test_how_much_is_sent_again() -> None:
    state = LogState(LOG, newest=MAX_BEHIND + 10, issued=MAX_BEHIND + 10, forgotten=0)
    assert find_beginning(f"{LOG}-10", state).reason is None
    assert find_beginning(f"{LOG}-9", state).reason is ResetReason.TOO_FAR_BEHIND


def change(number: int, ns: str = "default", size: int = 1) -> Change:
    return Change(number, ns, b"x" * size)


def test_listener_is_given_what_follows_its_place() -> None:
    held = Tail(10)
    held.extend([change(12), change(14, "other"), change(15)], 17)
    assert held.read(9, None) is None
    assert held.read(10, None) == Piece(b"xxx", 17)
    assert held.read(12, {"default"}) == Piece(b"x", 17)
    assert held.read(10, {"elsewhere"}) == Piece(b"", 17)
    assert held.read(17, None) == Piece(b"", 17)
    assert held.read(20, None) == Piece(b"", 20)


def test_listener_is_given_only_so_much_at_once() -> None:
    held = Tail(0)
    held.extend([change(n, size=tail.PIECE_BYTES // 2) for n in (1, 2, 3)], 3)
    piece = held.read(0, None)
    assert piece is not None
    assert (len(piece.text), piece.number) == (tail.PIECE_BYTES, 2)
    assert held.read(2, None) == Piece(b"x" * (tail.PIECE_BYTES // 2), 3)


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        pytest.param(1, tail.MAX_CHANGES, id="by their number"),
        pytest.param(tail.MAX_BYTES // 4, 4, id="by their size"),
        pytest.param(tail.MAX_BYTES + 1, 0, id="one that is too large alone"),
    ],
)
def test_oldest_changes_make_room(size: int, kept: int) -> None:
    held = Tail(0)
    for number in range(1, 6 if size > 1 else tail.MAX_CHANGES + 3):
        held.extend([change(number, size=size)], number)
    assert (held.end - held.begin, held.read(held.begin - 1, None)) == (kept, None)
    assert held.read(held.begin, {"elsewhere"}) == Piece(b"", held.end)


def test_nobody_listens_past_the_end_of_the_token() -> None:
    caller = Caller("mona", UUID(int=1))
    assert compute_seconds(caller, 100.0) is None
    assert compute_seconds(replace(caller, expires_at=130.5), 100.0) == 30.5
    with pytest.raises(HTTPProblem, match="expired") as refused:
        compute_seconds(replace(caller, expires_at=100.0), 100.0)
    assert refused.value.status == 401
