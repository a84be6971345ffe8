"""The list of guards names what there is, and the run of their mutants reads results rightly."""

from __future__ import annotations

import ast

import pytest
from mutants.guards import ROOT, Equivalent, Guard, read_guards
from mutants.session import set_apart, unwrap_properties

GUARDS = read_guards()


def list_names(file: str) -> set[str]:
    """List the functions, classes and methods of a file, as the list of guards names them."""
    names = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
            names.update(f"{node.name}.{method.name}" for method in methods)
    return names


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.name for guard in GUARDS])
def test_a_guard_is_where_the_list_says(guard: Guard) -> None:
    assert set(guard.functions) <= list_names(guard.file)
    assert all((ROOT / test).exists() for test in guard.tests)
    assert guard.tests
    text = (ROOT / guard.file).read_text()
    assert [listed.line for listed in guard.equivalents if listed.line not in text] == []


def test_each_guard_has_a_name_of_its_own() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)


GUARD = Guard("a", "core/sundial_core/fence.py", ("x",), ("build_fence", "Probe", "Other.run"))


@pytest.mark.parametrize(
    ("mutant", "is_ours"),
    [
        pytest.param("sundial_core.fence.x_build_fence__mutmut_12", True, id="function"),
        pytest.param("sundial_core.fence.x__build_fence__mutmut_1", False, id="another function"),
        pytest.param("sundial_core.fence.xǁProbeǁ_look__mutmut_1", True, id="method of a class"),
        pytest.param("sundial_core.fence.xǁOtherǁrun__mutmut_3", True, id="method"),
        pytest.param("sundial_core.fence.xǁOtherǁrun_all__mutmut_3", False, id="another method"),
        pytest.param("sundial_core.names.x_build_fence__mutmut_1", False, id="another file"),
    ],
)
def test_whose_mutant_it_is(mutant: str, is_ours: object) -> None:
    assert GUARD.has(mutant) is is_ours


PROPERTY = """
class Lease:
    @property
    def is_held(self):
        return True

    @classmethod
    def build(cls):
        return cls()
"""


def test_a_property_stays_one_without_its_decorator() -> None:
    source = unwrap_properties(PROPERTY)
    assert "@property" not in source
    made: dict[str, type] = {}
    exec(source, made)
    assert made["Lease"].build().is_held is True  # type: ignore[attr-defined]


DIFF = """\
--- a.py
+++ a.py
@@ -1,3 +1,3 @@
 def f():
-    return max(1,
-        2)
+    return max(1, )
"""
CHANGE = ("return max(1, 2)", "return max(1, )")


@pytest.mark.parametrize(
    ("listed", "survivors", "unused"),
    [
        pytest.param((), [DIFF], [], id="not listed"),
        pytest.param((Equivalent(*CHANGE, "why"),), [], [], id="equivalent"),
        pytest.param(
            (Equivalent("return 1", "return 2", "why"),),
            [DIFF],
            [Equivalent("return 1", "return 2", "why")],
            id="another one is listed",
        ),
    ],
)
def test_survivors_are_what_is_not_listed_as_equivalent(
    listed: tuple[Equivalent, ...], survivors: list[str], unused: list[Equivalent]
) -> None:
    assert set_apart([DIFF], listed) == (survivors, unused)
