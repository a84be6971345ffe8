"""Which settings does the operator refuse to start with? It says what to write instead."""

from __future__ import annotations

import os

import pytest

from sundial_operator.main import main
from sundial_operator.settings import OperatorSettings


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        pytest.param("SUNDIAL_NAMESPACE", "Bad Name", "such as sundial-system", id="namespace"),
        pytest.param("SUNDIAL_NAMESPACE", "", "such as sundial-system", id="no namespace"),
        pytest.param("SUNDIAL_NAMESPACE", "a" * 64, "at most 63", id="long namespace"),
        pytest.param("SUNDIAL_NAMESPACE", "team\n", "such as sundial-system", id="line end"),
        pytest.param("SUNDIAL_RELEASE", "-", "such as sundial", id="release"),
        pytest.param("SUNDIAL_RELEASE", "a" * 54, "at most 53", id="long release"),
        pytest.param("SUNDIAL_WATCH_NAMESPACES", "team.a", "such as sundial-system", id="watched"),
        pytest.param(
            "SUNDIAL_WATCH_NAMESPACES", "team,,a", "such as sundial-system", id="one without a name"
        ),
        pytest.param(
            "SUNDIAL_WATCH_NAMESPACES",
            ",".join(f"team-{number}" for number in range(51)),
            "names 51 namespaces; name at most 50, or none for all",
            id="too many",
        ),
    ],
)
def test_names_that_no_cluster_takes_are_refused(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    with pytest.raises(SystemExit) as refusal:
        main([])
    assert str(refusal.value.code).startswith(f"sundial-operator: {name}: ")
    assert words in str(refusal.value.code)


@pytest.mark.parametrize(
    ("text", "watched"),
    [
        pytest.param("", (), id="all"),
        pytest.param("team", ("team",), id="one"),
        pytest.param("team-b, team-a,team-b", ("team-b", "team-a"), id="each once"),
        pytest.param(
            ",".join(f"team-{n}" for n in range(50)), tuple(f"team-{n}" for n in range(50)), id="fifty"
        ),
    ],
)
def test_names_that_a_cluster_takes_are_taken(
    text: str, watched: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNDIAL_WATCH_NAMESPACES", text)
    found = OperatorSettings(namespace="a" * 63, release="my.release-2")
    assert (found.release, found.watch_namespaces) == ("my.release-2", watched)
