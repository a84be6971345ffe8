"""Which part of the product imports which? The picture in docs/architecture.md, drawn from the imports.

`PYTHONPATH=tests python -m testkit.layers` writes it there.
"""

from __future__ import annotations

import graphlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
BEGIN, END = "<!-- layers -->\n```\n", "```\n<!-- /layers -->\n"
PACKAGES = (
    "sundial_clock",
    "sundial_core",
    "sundial_kube",
    "sundial_operator",
    "sundial_api",
    "sundial_runner",
)
PICTURES = {
    "core": ("sundial_clock", "sundial_core"),
    "operator": ("sundial_operator",),
    "api": ("sundial_api",),
}
"""The pictures, each with the packages whose parts it shows."""

Graph = Mapping[str, set[str]]


def read_imports() -> dict[str, set[str]]:
    """Read which module imports which, imports inside functions and for types included."""
    graph = grimp.build_graph(*PACKAGES, include_external_packages=False, cache_dir=None)
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def find_cycle(graph: Graph) -> list[str]:
    """Find modules that import each other, or none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def draw(graph: Graph) -> str:
    """Draw each picture as a list, the highest layer first, each part with those that it imports."""
    packages = {module for module in graph if any(other.startswith(f"{module}.") for other in graph)}
    parts: dict[str, set[str]] = defaultdict(set)
    for module, imported in graph.items():
        part = name_part(module, packages)
        parts[part] |= {name_part(one, packages) for one in imported} - {part}
    return "\n".join(_draw_one(title, parts, PICTURES[title]) for title in PICTURES)


def name_part(module: str, packages: Iterable[str]) -> str:
    """Name the part that a module is in: a package below the top, or the modules at the top together."""
    top, *below = module.split(".")
    if not below or top == "sundial_clock" or f"{top}.{below[0]}" in packages:
        return ".".join([top, *below[:1]]) if top != "sundial_clock" else top
    return f"{top}:{below[0]}"


def _draw_one(title: str, parts: Graph, tops: tuple[str, ...]) -> str:
    shown = {part for part in parts if _is_shown(part, tops)}
    ranks: dict[str, int] = {}
    for part in graphlib.TopologicalSorter({part: parts[part] & shown for part in shown}).static_order():
        ranks[part] = 1 + max((ranks[one] for one in parts[part] & shown), default=0)
    lines = [f"{title}: {max(ranks.values())} layers"]
    for part in sorted(shown, key=lambda one: (-ranks[one], one)):
        below = sorted(parts[part] & shown, key=lambda one: (-ranks[one], one))
        lines.append(f"  {ranks[part]} {_shorten(part):24} -> {', '.join(map(_shorten, below)) or '-'}")
    return "\n".join(lines) + "\n"


def _is_shown(part: str, tops: tuple[str, ...]) -> bool:
    """Tell whether a part belongs into a picture: no package as such but the clock, and no `__main__`."""
    top = part.split(".", maxsplit=1)[0].split(":", maxsplit=1)[0]
    return top in tops and not part.endswith(":__main__") and (part != top or part == "sundial_clock")


def _shorten(part: str) -> str:
    return part.removeprefix("sundial_") if part != "sundial_clock" else part


def fill(page: str, picture: str) -> str:
    """Put the picture into a page; raises ValueError when it has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the picture of the layers")
    return before + begin + picture + end + after


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), draw(read_imports())))
