"""Is the product built in layers, without a circle, and does its picture show it?"""

from collections import Counter
from pathlib import Path

import pytest
from testkit.layers import PAGE, draw, fill, find_cycle, read_imports

ROOT = Path(__file__).parents[3]
SOURCES = ("core", "operator", "api", "runner")
MOST_MODULES = 20


def test_no_modules_import_each_other() -> None:
    assert find_cycle(read_imports()) == []


def test_a_circle_is_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) != []


def test_the_picture_of_the_layers_is_drawn_from_the_imports() -> None:
    page = PAGE.read_text()
    assert fill(page, draw(read_imports())) == page, "run PYTHONPATH=tests python -m testkit.layers"


def test_a_picture_has_the_parts_and_what_they_import() -> None:
    graph = {
        "sundial_clock": set(),
        "sundial_clock.cron": set(),
        "sundial_core": set(),
        "sundial_core.runs": set(),
        "sundial_core.runs.jobs": {"sundial_clock.cron"},
        "sundial_operator": set(),
        "sundial_operator.main": {"sundial_core.runs.jobs"},
        "sundial_api": set(),
        "sundial_api.main": set(),
    }
    assert "  2 core.runs                -> sundial_clock\n" in draw(graph)


def test_a_page_without_a_place_for_the_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        fill("", "")


def test_no_folder_has_too_many_modules() -> None:
    modules = (path for source in SOURCES for path in (ROOT / source).rglob("*.py"))
    counted = Counter(path.parent for path in modules if path.name != "__init__.py")
    assert {str(folder): count for folder, count in counted.items() if count > MOST_MODULES} == {}
