"""Do arguments fit a schema: what is said, what is hidden, and what a hostile schema cannot do."""

from __future__ import annotations

import http.server
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from testkit.scheduled_jobs import nest

from sundial_core.resources.nesting import MAX_LEVELS
from sundial_core.resources.parameters.checks import (
    DRAFTS,
    MAX_MISFITS,
    MAX_SCHEMA_BYTES,
    Parameters,
    compile_parameters,
    prepare_parameters,
)
from sundial_core.resources.parameters.costs import MAX_HEIGHT, weigh_pattern
from sundial_core.resources.parameters.misfits import SENTENCES, Misfit

SECRET = "hunter2-the-secret"
LOOP = "refers to itself"
TOO_MUCH = "asks for too much"


def check(schema: Any, args: Any) -> list[str]:
    found = prepare_parameters(schema)
    assert isinstance(found, Parameters), found
    return [misfit.describe("spec.args") for misfit in found.find_misfits(args)]


def refuse(schema: Any) -> str:
    found = prepare_parameters(schema)
    assert isinstance(found, Misfit)
    return found.describe("spec.parametersSchema")


def field(**schema: Any) -> dict[str, Any]:
    return {"properties": {"a": schema}}


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        pytest.param({"minimum": 1}, 0, "is less than the minimum of 1", id="minimum"),
        pytest.param({"maximum": 1.5}, 2, "is greater than the maximum of 1.5", id="maximum"),
        pytest.param({"exclusiveMinimum": 1}, 1, "is not greater than 1", id="exclusive minimum"),
        pytest.param({"exclusiveMaximum": 1}, 1, "is not less than 1", id="exclusive maximum"),
        pytest.param({"multipleOf": 5}, 7, "is not a multiple of 5", id="multiple"),
        pytest.param({"type": "integer"}, SECRET, "is not of type integer", id="type"),
        pytest.param({"type": ["integer", "null"]}, SECRET, "is not of type null, integer", id="types"),
        pytest.param({"type": "integer"}, "5", "is not of type integer", id="nothing is converted"),
        pytest.param(
            {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            *(SECRET, "is not of type integer, null"),
            id="an optional one of pydantic's",
        ),
        pytest.param(
            {"anyOf": [{"type": "integer"}, {"minLength": 99}]},
            *(SECRET, "is of none of the forms that are allowed"),
            id="any of",
        ),
        pytest.param({"oneOf": [{}, {}]}, 1, "is of several forms of which it may have one", id="one of"),
        pytest.param({"not": {"const": SECRET}}, SECRET, "is of a form that is not allowed", id="not"),
        pytest.param({"enum": ["x", 1, None]}, SECRET, 'is not one of "x", 1, null', id="enum"),
        pytest.param(
            {"enum": list(range(20))},
            SECRET,
            "is not one of 0, 1, 2, 3, 4, 5, 6, 7 and 12 more",
            id="long enum",
        ),
        pytest.param({"const": {"k": 1}}, SECRET, 'is not {"k":1}', id="const"),
        pytest.param({"minLength": 99}, SECRET, "has fewer characters than 99", id="short"),
        pytest.param({"maxLength": 2}, SECRET, "has more characters than 2", id="long"),
        pytest.param({"pattern": "^x+$"}, SECRET, "does not match ^x+$", id="pattern"),
        pytest.param({"format": "date"}, SECRET, "is not of the format date", id="format"),
        pytest.param({"minItems": 2}, [SECRET], "has fewer items than 2", id="few items"),
        pytest.param({"maxItems": 0}, [SECRET], "has more items than 0", id="many items"),
        pytest.param({"uniqueItems": True}, [SECRET, SECRET], "has an item twice", id="twice"),
        pytest.param(
            {"contains": False}, [SECRET], "has too few or too many items of the kind", id="contains"
        ),
        pytest.param({"minProperties": 1}, {}, "has fewer fields than 1", id="few fields"),
        pytest.param({"maxProperties": 0}, {"k": SECRET}, "has more fields than 0", id="many fields"),
        pytest.param(
            {"propertyNames": {"maxLength": 2}},
            {"long": 1},
            "has a field whose name is not allowed",
            id="names",
        ),
        pytest.param(False, SECRET, "is not allowed here", id="false"),
    ],
)
def test_what_is_said_and_that_no_value_is(schema: Any, value: Any, words: str) -> None:
    (said,) = check({"properties": {"a": schema}}, {"a": value})
    assert said.startswith(f"spec.args.a: {words}")
    assert SECRET not in said


def test_the_library_s_own_words_hide_values_too() -> None:
    found = prepare_parameters(field(type="integer"))
    assert isinstance(found, Parameters)
    (error,) = found.validator.iter_errors({"a": SECRET})
    assert SECRET not in f"{error} {error.message} {error.verbose_message}"


def test_missing_and_unknown_fields_are_named_each() -> None:
    schema = {"required": ["x", "y"], "properties": {"x": {}, "y": {}}, "additionalProperties": False}
    assert check(schema, {"z": SECRET, "w": SECRET}) == [
        "spec.args.x: is required",
        "spec.args.y: is required",
        "spec.args.z: is not known here",
        "spec.args.w: is not known here",
    ]
    assert check({"required": ["x"]}, None) == ["spec.args.x: is required"]


def test_every_kind_of_error_has_words_or_is_none_of_arguments() -> None:
    kinds = {name for name in dir(jsonschema_rs.ValidationErrorKind) if name[0].isupper()}
    other = {"Required", "AdditionalProperties", "UnevaluatedProperties"}
    never = {"Custom", "Referencing", "BacktrackLimitExceeded", "RegexEngineFailure", "FromUtf8"}
    assert kinds - other - never - {"ContentEncoding", "ContentMediaType"} == set(SENTENCES)


def test_the_place_of_a_value_in_lists_and_objects_is_named_in_bounds() -> None:
    assert check(field(items={"type": "string"}), {"a": ["x", 1]}) == ["spec.args.a.1: is not of type string"]
    (said,) = check(field() | {"additionalProperties": False}, {"k" * 5000: 1})
    assert said.endswith("…: is not known here")
    assert len(said) < 200
    assert check({"additionalProperties": False}, {"k": 1}) == [
        "spec.args: has fields, and none are known here"
    ]


def test_misfits_are_bounded_in_number() -> None:
    assert len(check(field(items={"type": "string"}), {"a": list(range(300))})) == MAX_MISFITS
    assert (
        len(check(field() | {"additionalProperties": False}, {str(n): n for n in range(200)})) == MAX_MISFITS
    )


def test_a_default_is_never_applied() -> None:
    args: dict[str, Any] = {}
    assert check({"properties": {"a": {"default": 5}}, "required": ["a"]}, args) == [
        "spec.args.a: is required"
    ]
    assert args == {}


@pytest.mark.parametrize("draft", DRAFTS)
def test_each_draft_is_read_as_it_is_meant(draft: str) -> None:
    assert check({"$schema": f"{draft}#"} | field(type="integer"), {"a": "x"})
    is_old = draft.endswith("04/schema")
    limit: dict[str, Any] = {"minimum": 3, "exclusiveMinimum": True} if is_old else {"exclusiveMinimum": 3}
    assert check({"$schema": draft} | field(**limit), {"a": 3}) == ["spec.args.a: is not greater than 3"]


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """An address that notes what it is asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            body = b'{"type": "integer"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("key", ["$ref", "$schema", "$dynamicRef", "$recursiveRef"])
def test_nothing_is_fetched(asked: tuple[str, list[str]], key: str) -> None:
    address, paths = asked
    refuse({key: f"{address}/schema.json"})
    assert paths == []


def test_without_our_rules_the_library_still_fetches_nothing(
    asked: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two guards: no reference leads out, and the library is told to stay offline."""
    address, paths = asked
    monkeypatch.setattr("sundial_core.resources.parameters.checks.weigh_schema", lambda _: None)
    assert "Retrieval" not in refuse({"$ref": f"{address}/schema.json"})
    assert paths == []
    jsonschema_rs.validator_for({"$ref": f"{address}/schema.json"})
    assert paths == ["/schema.json"]


def test_no_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "integer"}')
    assert "leads out of the schema" in refuse({"$ref": file.as_uri()})
    assert "leads out of the schema" in refuse({"$id": tmp_path.as_uri() + "/", "$ref": "schema.json"})


def double(keyword: str, levels: int, leaf: dict[str, Any]) -> dict[str, Any]:
    """Build definitions of which each refers to the next one twice."""
    names = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": names | {f"d{levels}": leaf}, "$ref": "#/$defs/d0"}


def unevaluated(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"properties": {"a": {}}}
    for _ in range(levels):
        schema = {"allOf": [schema], "unevaluatedProperties": False}
    return schema


CHAIN = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(2000)} | {"d2000": {}}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        pytest.param({"$ref": "#"}, f"$ref: {LOOP}", id="refers to itself"),
        pytest.param(field(**{"$ref": "#"}), f"properties.a.$ref: {LOOP}", id="a tree"),
        pytest.param({"allOf": [{"$ref": "#/allOf/0"}]}, LOOP, id="refers to its own place"),
        pytest.param(
            {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, LOOP, id="two in a ring"
        ),
        pytest.param({"properties": {"enum": {"$ref": "#"}}}, LOOP, id="in a field that is called enum"),
        pytest.param(
            {"$dynamicAnchor": "n", "$dynamicRef": "#n"}, "$dynamicRef: cannot be used", id="dynamic"
        ),
        pytest.param(field(**{"$id": "x", "$ref": "#/y"}), "$id: cannot be used inside", id="another base"),
        pytest.param({"$anchor": "n", "not": {"$ref": "#n"}}, "leads out of the schema", id="anchor"),
        pytest.param({"$ref": "#/$defs/none"}, "$ref: leads to nothing in the schema", id="nothing there"),
        pytest.param({"allOf": [{}], "$ref": "#/allOf/01"}, "leads to nothing", id="number with a zero"),
        pytest.param(double("allOf", 40, {}), TOO_MUCH, id="two to the power of 40"),
        pytest.param(double("anyOf", 40, {"type": "integer"}), TOO_MUCH, id="and each with its errors"),
        pytest.param(unevaluated(20), TOO_MUCH, id="unevaluated in unevaluated"),
        pytest.param(
            {"$defs": CHAIN, "$ref": "#/$defs/d0"}, f"more than {MAX_HEIGHT} levels", id="long chain"
        ),
        pytest.param(
            {"$defs": dict(reversed(CHAIN.items())), "$ref": "#/$defs/d0"},
            f"more than {MAX_HEIGHT} levels",
            id="long chain from its end",
        ),
        pytest.param(
            field(pattern=r"^(a|a)*\1$"), "properties.a.pattern: is no pattern", id="back reference"
        ),
        pytest.param(field(pattern=r"^(?:(?=[^x]*).)*$"), "is no pattern that can be used", id="look-ahead"),
        pytest.param(field(pattern="("), "is no pattern that can be used", id="broken pattern"),
        pytest.param(field(pattern="((a{0,100}){0,100}){0,100}"), TOO_MUCH, id="repetitions in repetitions"),
        pytest.param(field(pattern=r"\p{L}{1000}"), "is no pattern that can be used", id="large pattern"),
        pytest.param(
            {"properties": {f"p{n}": {"pattern": f"a{n}"} for n in range(1500)}}, TOO_MUCH, id="many patterns"
        ),
        pytest.param({"patternProperties": {"(a{1000}){1000}": {}}}, TOO_MUCH, id="pattern of names"),
        pytest.param({"allOf": [{"multipleOf": 1e-300}] * 50}, TOO_MUCH, id="many tiny factors"),
        pytest.param({"a": nest(MAX_LEVELS)}, "nested more than 64 levels", id="deep"),
        pytest.param({"description": "x" * MAX_SCHEMA_BYTES}, "may have at most 65536 bytes", id="long"),
        pytest.param(
            {"$schema": "http://json-schema.org/draft-03/schema"}, "$schema: is no draft", id="draft 3"
        ),
        pytest.param({"$schema": 5}, "$schema: is no draft", id="no draft"),
        pytest.param(field(type="intger"), "properties.a.type: is no type; write one of array", id="no type"),
        pytest.param(
            field(minLength=-1), "properties.a.minLength: is less than the minimum of 0", id="limit"
        ),
        pytest.param({"required": "a"}, "required: is not of type array", id="no list"),
        pytest.param([1], "is not of type", id="a list"),
        pytest.param({"const": "\ud800"}, "is not JSON", id="half of a surrogate pair"),
        pytest.param({"minimum": 10**400}, "is not JSON", id="a huge number"),
    ],
)
def test_a_schema_that_cannot_be_used_is_told_where(schema: Any, words: str) -> None:
    said = refuse(schema)
    assert words in said
    assert len(said) < 2000


@pytest.mark.parametrize(
    ("schema", "args"),
    [
        pytest.param(field(pattern="^(a+)+$"), {"a": "a" * 60_000 + "!"}, id="catastrophic elsewhere"),
        pytest.param(field(enum=list(range(5000))), {"a": "x"}, id="huge enum"),
        pytest.param(field(format="regex"), {"a": r"\p{L}{1000}"}, id="a pattern in args is not compiled"),
        pytest.param(double("anyOf", 8, {}), {"a": 1}, id="references that can be written out"),
        pytest.param(unevaluated(5), {"a": 1}, id="a little unevaluated"),
        pytest.param(field(multipleOf=0.1), {"a": 1.1e203}, id="fraction of a large number"),
    ],
)
def test_what_is_cheap_enough_is_checked(schema: Any, args: Any) -> None:
    assert all("too much" not in said for said in check(schema, args))


LETTERS = "".join(random.Random(1).choices("ab", k=60_000))
WIDE = {"allOf": [{"required": [f"x{n}"]} for n in range(2000)]}


@pytest.mark.parametrize(
    ("schema", "args"),
    [
        pytest.param(field(pattern="[ab]*a[ab]{900}x"), {"a": LETTERS}, id="states times characters"),
        pytest.param(field(items=WIDE), {"a": [{}] * 2000}, id="values times values"),
        pytest.param(
            field(items={"multipleOf": 0.1}), {"a": [1e300] * 3000}, id="fractions of large numbers"
        ),
        pytest.param(field(items={"format": "idn-hostname"}), {"a": ["é.é"] * 9000}, id="formats"),
    ],
)
def test_what_would_take_too_long_is_not_checked(schema: Any, args: Any) -> None:
    (said,) = check(schema, args)
    assert said.startswith("spec.args: is too much to be checked by so large a schema")


def test_errors_that_would_fill_the_memory_are_told_one_by_one() -> None:
    """Each error comes with copies of what it is about: of 2,000 of them that was 1.2 GB."""
    args = {"a": {f"k{n}": "x" for n in range(40)}}
    assert len(check({"properties": {"a": WIDE}}, args)) == 1
    assert len(check({"properties": {"a": {"allOf": WIDE["allOf"][:30]}}}, args)) == MAX_MISFITS


NO_NAME = {"propertyNames": {"maxLength": 0}}
TOO_MUCH = "spec.args: does not fit the schema, and is too much for telling where"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        pytest.param(NO_NAME, "spec.args.a: has a field whose name is not allowed", id="of the object"),
        pytest.param({"anyOf": [NO_NAME, {"maxProperties": 0}]}, TOO_MUCH, id="anyOf"),
        pytest.param({"oneOf": [NO_NAME, {"maxProperties": 0}]}, TOO_MUCH, id="oneOf"),
        pytest.param({"allOf": [{"anyOf": [NO_NAME]}]}, TOO_MUCH, id="nested"),
    ],
)
def test_no_error_is_made_for_each_of_thousands_of_fields(schema: Any, said: str) -> None:
    """Each comes with the whole object: 4,000 took 39 seconds and 2 GB."""
    schema = {"properties": {"a": schema}}
    few = check(schema, {"a": {f"k{number}": 1 for number in range(5)}})
    assert few[0].startswith("spec.args.a: ")
    assert check(schema, {"a": {f"k{number}": 1 for number in range(4000)}}) == [said]


def test_odd_arguments_are_a_misfit_and_no_exception() -> None:
    assert check(field(const="x"), {"a": "\ud800"}) == ["spec.args: cannot be checked by the schema"]
    assert check({}, {"a": nest(MAX_LEVELS)}) == ["spec.args: is nested more than 64 levels deep"]


def test_a_schema_is_compiled_once() -> None:
    compile_parameters.cache_clear()
    for days in range(1000):
        assert check(field(minimum=1, title="once"), {"a": days + 1}) == []
    assert compile_parameters.cache_info().misses == 1
    for number in range(300):
        prepare_parameters(field(title=f"another {number}"))
    assert compile_parameters.cache_info().currsize == compile_parameters.cache_info().maxsize == 128


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        ("^abc$", 5),
        ("(ab){10}", 20),
        ("((ab){10}){10}", 200),
        ("[a-z0-9]{2,63}", 63),
        ("[(]{5}a", 6),
        (r"\{5}", 3),
        (r"[\]x]{5}", 5),
        (r"\w{3}", 90),
        ("a{1000000000}", 65_537),
        (")){3}", 4),
    ],
)
def test_repetitions_of_a_pattern_are_written_out(pattern: str, states: int) -> None:
    assert weigh_pattern(pattern).text == 2 * states
