"""Is everything that is said to a person said in Arabic too? Every template in the source, every reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

import pytest
import yaml
from pydantic_core._pydantic_core import list_all_errors
from testkit.sentences import ROOT, MadeSentence, list_calls, list_made

from sundial_api.http.arabic.catalogue import ARABIC
from sundial_api.http.arabic.stored import RULES, STORED
from sundial_api.http.arabic.values import VALUES
from sundial_api.http.errors import Invalids
from sundial_api.http.invalid_values import PYDANTIC
from sundial_api.http.refusals import translate_refusal
from sundial_clock.arabic import sentences as clock
from sundial_clock.sentences import Sentence, say
from sundial_core.resources.reasons import Reason
from sundial_kube.errors import ApiError

MADE = [*list_made("api"), *list_made("core")]
TEMPLATES = {made.template for made in MADE}
NOT_OF_JSON = re.compile(
    "arguments_|bytes_|callable_|complex_|counter_|dataclass_|decimal_|default_factory|deque_|ellipsis_"
    "|fraction_|frozen_(?!set)|get_attribute|is_instance|is_subclass|iteration_|missing_|multiple_argument|named_tuple"
    "|needs_python|no_such|ordered_dict|time_|unexpected_|url_"
)
"""Kinds of pydantic's errors that no field of a request can have: of Python objects and types not used."""
FRAMEWORK = {"Not Found", "Method Not Allowed", "Bad Request", "There was an error parsing the body"}


def list_names(form: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(form) if name is not None}


def test_every_sentence_of_the_source_has_arabic() -> None:
    assert [(made.template, made.place) for made in MADE if made.template not in ARABIC.forms] == []


def test_no_arabic_is_left_of_a_sentence_that_is_gone() -> None:
    known = {*TEMPLATES, *FRAMEWORK, *VALUES, *RULES, *STORED}
    assert {template for template in ARABIC.forms if template not in known} == set()
    assert {template for template in VALUES if not template.startswith(PYDANTIC)} <= TEMPLATES


def test_clock_alone_has_all_its_own_sentences() -> None:
    assert {made.template for made in list_made("core/sundial_clock")} == set(clock.ARABIC.forms)


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.place)
def test_arabic_speaks_of_the_same_things(made: MadeSentence) -> None:
    assert list_names(ARABIC.forms[made.template]) == made.values
    assert not made.values or list_names(made.template) == made.values


def test_sentences_are_made_by_say_but_where_others_speak() -> None:
    """pydantic, the framework, the API server, and texts that were stored."""
    makers = {
        place.rpartition(":")[0].rpartition("/")[2]
        for folder in ("api", "core")
        for name in ("as_said", "Sentence")
        for _, place in list_calls(folder, name)
    }
    known = {"errors.py", "refusals.py", "invalid_values.py", "languages.py", "wording.py", "sentences.py"}
    assert makers <= known


def test_every_kind_of_invalid_value_has_arabic() -> None:
    kinds = {error["type"] for error in list_all_errors()}
    own = {ast.literal_eval(call.args[0]) for call, _ in list_calls("api", "PydanticCustomError")}
    possible = {kind for kind in kinds if NOT_OF_JSON.match(kind) is None} | {"missing"} | own
    assert {kind for kind in possible if PYDANTIC + kind not in VALUES} == set()
    assert {key.removeprefix(PYDANTIC) for key in VALUES if key.startswith(PYDANTIC)} <= kinds | own


def test_every_reason_of_ready_has_arabic() -> None:
    """A job that is not ready has the reason of a Problem; `_ready` makes the others."""
    calls = [call for name in ("Problem", "_ready") for call, _ in list_calls("core", name)]
    given = [call.args[0] for call in calls]
    named = {part.attr for part in given if isinstance(part, ast.Attribute) and part.attr.isupper()}
    reasons = {f"ready:{Reason[name].value}" for name in named}
    assert reasons == {key for key in STORED if key.startswith("ready:")}


@pytest.mark.parametrize("form", ARABIC.forms.values())
def test_code_and_names_in_arabic_are_isolated(form: str) -> None:
    """What is written from left to right stands in backticks or is a value; digits are Western."""
    plain = re.sub("`[^`]+`", "", "".join(literal for literal, *_ in Formatter().parse(form)))
    assert not re.search("[A-Za-z`{}]", plain)
    assert not re.search("[\u0660-\u0669\u06f0-\u06f9]", form)
    assert not re.search("[\u200e\u200f\u2066-\u2069]", form), "isolates are put in when a sentence is shown"


@pytest.mark.parametrize("form", ARABIC.forms.values())
def test_counted_nouns_are_known(form: str) -> None:
    assert {noun for _, _, noun, _ in Formatter().parse(form) if noun} <= set(ARABIC.nouns)


SCHEDULED_JOB = yaml.safe_load((ROOT / "crds" / "scheduledjobs.yaml").read_text())


def list_rules(schema: Any) -> Iterator[str]:
    """List what the rules of a schema say, in all its depth but for what the API does not write."""
    if isinstance(schema, list):
        yield from (text for inner in schema for text in list_rules(inner))
    if isinstance(schema, dict):
        yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
        written = (inner for name, inner in schema.items() if name not in ("template", "taskFunctionRef"))
        yield from (text for inner in written for text in list_rules(inner))


def test_every_rule_of_a_field_that_the_api_writes_has_arabic() -> None:
    schema = SCHEDULED_JOB["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert {f"rule:{text}" for text in list_rules(schema)} == set(RULES)


@pytest.mark.parametrize(
    ("told", "arabic"),
    [
        (
            'ScheduledJob "x" is invalid: spec.startTimeoutSeconds: Invalid value: "object": must be less'
            " than timeoutSeconds",
            "يجب أن يكون أقل من \u2066timeoutSeconds\u2069",
        ),
        (
            'ScheduledJob.sundial.dev "x" is invalid: spec.concurrency.maxQueued: Forbidden: goes only with'
            " policy: Queue; set that policy or remove maxQueued",
            "لا يكون إلا مع \u2066policy: Queue\u2069؛ حدّد هذه السياسة أو احذف \u2066maxQueued\u2069",
        ),
        (
            'ScheduledJob "x" is invalid: spec.retry.count: Invalid value: 99: spec.retry.count in body'
            " should be less than or equal to 10",
            "Invalid value: 99: spec.retry.count in body should be less than or equal to 10",
        ),
    ],
)
def test_refusals_by_our_own_rules_have_arabic(told: str, arabic: str) -> None:
    refused = translate_refusal(ApiError(422, "Invalid", told))
    assert isinstance(refused, Invalids)
    assert [ARABIC.render(error.sentence) for error in refused.errors] == [arabic]
    assert refused.errors[0].sentence.english in told


def test_what_somebody_wrote_is_isolated_in_either_direction() -> None:
    refused = say("{name} was started", name="تقرير (1)")
    assert ARABIC.render(refused) == "بدأ تشغيل \u2068تقرير (1)\u2069"


def test_nobodys_name_ends_its_own_isolate() -> None:
    turned = say("{name} was started", name="a\u2069b\u202ec\u2066")
    assert ARABIC.render(turned) == "بدأ تشغيل \u2068abc\u2069"


def test_sentence_that_lacks_what_its_arabic_speaks_of_stays_english() -> None:
    assert ARABIC.render(Sentence("pydantic:enum", "Input should be so")) == "Input should be so"


def test_sentence_without_arabic_stays_english() -> None:
    assert ARABIC.render(Sentence("unheard of", "unheard of")) == "unheard of"
    nested = say("the cluster's rules refuse it: {message}", message=Sentence("odd", "odd"))
    assert ARABIC.render(nested).endswith("\u2068odd\u2069")
