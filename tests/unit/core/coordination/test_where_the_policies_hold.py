"""Where does the policy of signatures hold? Its refusal says so, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from sundial_core.coordination.marks_policies import is_guarded, say_it_works

OURS = "sundial-system.sundial"


@pytest.mark.parametrize(
    ("namespaces", "watched", "expected"),
    [
        pytest.param((), (), "known", id="all of all"),
        pytest.param((), ("team-a",), "known", id="all, one watched"),
        pytest.param(("team-a", "team-b"), (), "claimed", id="some of all"),
        pytest.param(("team-a", "team-b"), ("team-b",), "known", id="the one that is watched among others"),
        pytest.param(("team-a", "team-b"), ("team",), "claimed", id="a part of a name"),
        pytest.param(("team-a",), ("team-b",), "claimed", id="another"),
        pytest.param(("team-a",), ("team-a", "team-b"), "claimed", id="one of two"),
        pytest.param(("a", "b", "c"), ("c", "a"), "known", id="all that are watched"),
    ],
)
def test_the_policy_has_to_hold_in_all_that_is_mirrored(
    namespaces: tuple[str, ...], watched: tuple[str, ...], expected: str
) -> None:
    is_known = is_guarded(f"forbidden: {say_it_works(OURS, namespaces)}", OURS, watched)
    assert ("known" if is_known else "claimed") == expected


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="nothing"),
        pytest.param(say_it_works("elsewhere.sundial"), id="another installation"),
        pytest.param(say_it_works(OURS).replace("sundial.dev/updated-state", ""), id="less guarded"),
        pytest.param(say_it_works(OURS).replace("in all namespaces, ", ""), id="of a release before"),
    ],
)
def test_anything_else_is_no_sign(message: str) -> None:
    assert is_guarded(message, OURS, ()) is False
