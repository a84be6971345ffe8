"""Source roots are folders, never packages: `operator/__init__.py` would shadow the standard library."""

from __future__ import annotations

import ast
import operator
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WITHOUT_INIT = ("core", "operator", "api", "runner", "devcluster", "alembic", "crds", "charts", "examples")


@pytest.mark.parametrize("folder", WITHOUT_INIT)
def test_a_source_root_is_not_a_package(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()


def test_no_test_folder_is_a_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_the_standard_librarys_operator_is_not_shadowed() -> None:
    assert operator.__file__ is not None
    assert ROOT not in Path(operator.__file__).parents or ".venv" in operator.__file__


def test_no_two_classes_have_the_same_name() -> None:
    files = [path for root in ("core", "operator", "api", "runner") for path in (ROOT / root).rglob("*.py")]
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text())))
    names = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_package_of_a_source_root_is_shipped_and_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    roots = settings["hatch"]["build"]["dev-mode-dirs"]
    packages = {
        path.parent.relative_to(ROOT) for root in roots for path in ROOT.glob(f"{root}/*/__init__.py")
    }
    shipped = set(settings["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert {str(one) for one in packages if one.parts[0] != "devcluster"} == shipped
    names = {package.name for package in packages}
    assert names == set(settings["mypy"]["packages"]) == set(settings["importlinter"]["root_packages"])


def test_queries_are_only_in_repositories_the_mirror_and_the_database_package() -> None:
    makers = {"select", "insert", "update", "delete", "text"}
    api = ROOT / "api" / "sundial_api"
    elsewhere = {
        str(path.relative_to(api))
        for path in api.rglob("*.py")
        if path.name != "repository.py" and path.parent.name not in ("db", "mirror", "storage")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        if makers & {alias.name for alias in node.names}
    }
    assert not elsewhere
