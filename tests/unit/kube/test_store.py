"""A store never goes back, whatever the order in which watches, lists and own writes arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sundial_kube.store import MAX_DELETIONS, Store


@dataclass(frozen=True)
class Value:
    uid: str
    resource_version: int
    text: str = ""
    ns: str = ""


def item(uid: str, version: int, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": str(version)}, "text": f"{uid}{version}"} | fields


def parse(found: dict[str, Any]) -> Value:
    metadata = found["metadata"]
    return Value(
        metadata["uid"], int(metadata["resourceVersion"]), found["text"], metadata.get("namespace", "")
    )


@dataclass
class Witness:
    """A store with what it told its listener."""

    told: list[tuple[str, str]] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store: Store[Value] = Store(parse, self.hear, lambda found, _: self.rejected.append(str(found)))

    def hear(self, old: Value | None, new: Value | None) -> None:
        self.told.append((old.text if old else "-", new.text if new else "-"))

    def do(self, *steps: tuple[str, Any]) -> list[str]:
        for action, argument in steps:
            if action == "list":
                items, version = argument
                for listed in items:
                    self.store.put(listed)
                self.store.retain({listed["metadata"]["uid"] for listed in items}, version, None)
            elif action == "forget":
                self.store.forget(argument[0])
            else:
                getattr(self.store, action)(item(*argument))
        return sorted(value.text for value in self.store)


@pytest.mark.parametrize(
    ("steps", "expected", "told"),
    [
        pytest.param([("put", ("a", 1))], ["a1"], [("-", "a1")], id="new"),
        pytest.param([("put", ("a", 1)), ("put", ("a", 2))], ["a2"], [("-", "a1"), ("a1", "a2")], id="newer"),
        pytest.param([("put", ("a", 2)), ("put", ("a", 1))], ["a2"], [("-", "a2")], id="older is ignored"),
        pytest.param(
            [("put", ("a", 2)), ("forget", ("a", 0)), ("put", ("a", 2))],
            [],
            [("-", "a2"), ("a2", "-")],
            id="forgotten, and told again late",
        ),
        pytest.param(
            [("put", ("a", 2)), ("forget", ("a", 0)), ("put", ("a", 3))],
            ["a3"],
            [("-", "a2"), ("a2", "-"), ("-", "a3")],
            id="forgotten, but there",
        ),
        pytest.param([("forget", ("a", 0))], [], [], id="never known"),
        pytest.param([("put", ("a", 2)), ("put", ("a", 2))], ["a2"], [("-", "a2")], id="the same is no news"),
        pytest.param(
            [("put", ("a", 9)), ("put", ("a", 10))], ["a10"], [("-", "a9"), ("a9", "a10")], id="as numbers"
        ),
        pytest.param([("put", ("a", 1)), ("remove", ("a", 2))], [], [("-", "a1"), ("a2", "-")], id="deleted"),
        pytest.param(
            [("remove", ("a", 2)), ("put", ("a", 1))], [], [("a2", "-")], id="late answer of a create"
        ),
        pytest.param([("put", ("a", 3)), ("remove", ("a", 2))], ["a3"], [("-", "a3")], id="an old deletion"),
        pytest.param(
            [("put", ("a", 1)), ("list", ([item("b", 5)], 9))],
            ["b5"],
            [("-", "a1"), ("-", "b5"), ("a1", "-")],
            id="a list tells what is gone",
        ),
        pytest.param(
            [("put", ("a", 10)), ("list", ([], 9))],
            ["a10"],
            [("-", "a10")],
            id="but not of what is newer than the list",
        ),
        pytest.param(
            [("put", ("a", 1)), ("list", ([], 9)), ("put", ("a", 1))],
            [],
            [("-", "a1"), ("a1", "-")],
            id="gone stays gone",
        ),
        pytest.param(
            [("put", ("a", 5)), ("list", ([item("a", 3)], 9))],
            ["a5"],
            [("-", "a5")],
            id="a list does not go back",
        ),
    ],
)
def test_stores_never_go_back(steps: Any, expected: list[str], told: list[tuple[str, str]]) -> None:
    witness = Witness()
    assert witness.do(*steps) == expected
    assert witness.told == told


def test_what_does_not_parse_is_rejected_and_harms_nothing() -> None:
    witness = Witness()
    witness.do(("put", ("a", 1)))
    witness.store.put({"metadata": {"uid": "b", "resourceVersion": "2"}})
    witness.store.put(item("c", 3) | {"metadata": {"uid": "c", "resourceVersion": "many"}})
    assert [value.text for value in witness.store] == ["a1"]
    assert len(witness.rejected) == 2


def test_a_deletion_that_does_not_parse_is_a_deletion() -> None:
    witness = Witness()
    witness.do(("put", ("a", 1)))
    witness.store.remove({"metadata": {"uid": "a", "resourceVersion": "2"}})
    assert (len(witness.store), witness.told[-1]) == (0, ("a1", "-"))


def test_an_answer_that_was_under_way_during_a_list_brings_nothing_back() -> None:
    witness = Witness()
    witness.do(("put", ("a", 1)))
    witness.store.remove(item("a", 3))
    witness.store.retain(set(), 5, None)
    assert witness.do(("put", ("a", 2))) == []


def test_old_deletions_are_forgotten() -> None:
    witness = Witness()
    for number in range(MAX_DELETIONS + 1):
        witness.store.remove(item(f"u{number}", 7))
    assert witness.do(("put", ("u0", 1)), ("put", ("u1", 1))) == ["u01"]


def test_values_are_found_by_uid() -> None:
    witness = Witness()
    witness.do(("put", ("a", 1)))
    assert (witness.store.get("a"), witness.store.get("b")) == (Value("a", 1, "a1"), None)


def test_a_store_may_change_while_it_is_read() -> None:
    witness = Witness()
    witness.do(("put", ("a", 1)), ("put", ("b", 2)))
    for value in witness.store:
        witness.do(("remove", (value.uid, 9)))
    assert len(witness.store) == 0


@given(st.permutations([("put", 1), ("put", 2), ("put", 3), ("put", 4), ("remove", 5)]))
def test_any_order_ends_deleted(events: list[tuple[str, int]]) -> None:
    assert Witness().do(*[(action, ("a", version)) for action, version in events]) == []


def test_what_is_known_is_not_read_again() -> None:
    read: list[str] = []

    def note(found: dict[str, Any]) -> Value:
        read.append(found["text"])
        return parse(found)

    store: Store[Value] = Store(note, lambda *_: None, lambda *_: None)
    for version in (2, 2, 1, 3, 3):
        store.put(item("a", version))
    assert read == ["a2", "a3"]


@pytest.mark.parametrize(
    "metadata", [None, [], {}, {"uid": []}, {"uid": "a"}, {"uid": "a", "resourceVersion": {}}]
)
def test_metadata_that_cannot_be_read_is_rejected(metadata: Any) -> None:
    witness = Witness()
    witness.do(("put", ("a", 1)))
    witness.store.put({"metadata": metadata, "text": "odd"})
    assert (len(witness.rejected), len(witness.store)) == (1, 1)


def test_a_list_of_one_namespace_says_nothing_of_another() -> None:
    witness = Witness()
    for uid, ns in (("a", "one"), ("b", "two")):
        found = item(uid, 1)
        found["metadata"]["namespace"] = ns
        witness.store.put(found)
    witness.store.retain(set(), 5, "one")
    assert [value.text for value in witness.store] == ["b1"]
