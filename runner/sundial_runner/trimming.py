"""What is left of a value that is too large? Small parts stay whole, large ones share the rest."""

from __future__ import annotations

from sundial_runner.json_form import encode, measure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sundial_runner.json_form import Json

MARK = "…"
SMALLEST_TEXT = 16
"""Bytes below which a cut text says nothing."""
SMALLEST_CONTAINER = 60
"""Bytes below which an object or list is replaced by its size."""
FEWEST = 12
"""For so many objects or lists there is room, and for four times as many texts: few that say something are
better than many that do not."""
REST_BYTES = 40
"""Bytes for the entry that tells how many more there were."""


def cut_text(text: str, room: int) -> str:
    """Cut a text at its end to so many bytes of JSON, at least 5; never inside a character."""
    if len(text) <= room and measure(text) <= room:
        return text
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle]) <= room - len(encode(MARK)) + 2:
            low = middle
        else:
            high = middle - 1
    return text[:low] + MARK


def cut_lines(text: str, room: int) -> str:
    """Cut lines out of the middle: a quarter of the room is for the beginning, the rest for the end."""
    if len(text) <= room and measure(text) <= room:
        return text
    lines = text.split("\n")
    room -= SMALLEST_CONTAINER
    begin, used = _take_lines(lines, room // 4, 2)
    end, _ = _take_lines(lines[len(begin) :][::-1], room, used)
    mark = f"{MARK} {len(lines) - len(begin) - len(end)} lines left out {MARK}"
    return "\n".join([*begin, mark, *reversed(end)])


def _take_lines(lines: Sequence[str], room: int, used: int) -> tuple[list[str], int]:
    """Take lines as long as there is room, each no longer than half of it."""
    taken: list[str] = []
    for line in lines:
        short = cut_text(line, max(room // 2, SMALLEST_TEXT))
        used += measure(short)  # its quotes are as long as an escaped line end
        if used > room:
            return taken, used - measure(short)
        taken.append(short)
    return taken, used


class Trimmer:
    """Trims values, and remembers the paths of what is not whole any more."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def fit(self, value: Json, room: int, path: str) -> Json:
        """Fit a value into so many bytes of JSON, at least `SMALLEST_TEXT` of them."""
        if measure(value) <= room:
            return value
        if isinstance(value, list) and room >= SMALLEST_CONTAINER:
            return self._fit_list(value, room, path)
        if isinstance(value, dict) and room >= SMALLEST_CONTAINER:
            return self._fit_object(value, room, path)
        self.paths.append(path)
        return cut_text(value if isinstance(value, str) else f"{MARK} {measure(value)} bytes", room)

    def _fit_list(self, value: list[Json], room: int, path: str) -> Json:
        entries = (Entry(str(i), 1, child) for i, child in enumerate(value))
        kept: list[Json] = [child for _, child in self._fit_entries(entries, room, path)]
        rest = len(value) - len(kept)
        if rest:
            self.paths.append(path)
            kept.append(f"{MARK} {rest} more")
        return kept

    def _fit_object(self, value: dict[str, Json], room: int, path: str) -> Json:
        keys = (key for key in value if measure(key) <= room // 2)
        entries = (Entry(key, measure(key) + 2, value[key]) for key in keys)
        kept = dict(self._fit_entries(entries, room, path))
        rest = len(value) - len(kept)
        if rest:
            self.paths.append(path)
            kept[MARK] = f"{rest} more"
        return kept

    def _fit_entries(self, entries: Iterable[Entry], room: int, path: str) -> Iterator[tuple[str, Json]]:
        """Fit as many of the first entries as there is room for when each gets the least that it needs."""
        part = room // FEWEST
        room -= REST_BYTES + 2
        taken = []
        for entry in entries:
            least = entry.compute_least(part)
            if least > room:
                break
            room -= least
            taken.append((entry, least))
        extras = share_room([entry.cost - least for entry, least in taken], room)
        for (entry, least), extra in zip(taken, extras):
            yield entry.name, self.fit(entry.child, least + extra - entry.own, f"{path}.{entry.name}")


class Entry:
    """A part of an object or a list, and what it takes in bytes."""

    __slots__ = ("child", "cost", "name", "own")

    def __init__(self, name: str, own: int, child: Json) -> None:
        self.name = name
        self.child = child
        self.own = own
        self.cost = own + measure(child)

    def compute_least(self, part: int) -> int:
        """Compute the least that says anything, where an object or a list should have so large a part."""
        is_container = isinstance(self.child, (dict, list))
        enough = max(SMALLEST_CONTAINER, part) if is_container else max(SMALLEST_TEXT, part // 4)
        return min(self.cost, self.own + enough)


def share_room(costs: Sequence[int], room: int) -> list[int]:
    """Share room so that small costs are met in full and large ones get equal parts of what is left."""
    shares = [0] * len(costs)
    order = sorted(range(len(costs)), key=lambda i: costs[i])
    for done, i in enumerate(order):
        shares[i] = min(costs[i], room // (len(order) - done))
        room -= shares[i]
    return shares
