"""Sentences for people: in English where they are made, in other languages when they are shown.

A sentence is a value: an English template with what it speaks of. A `Catalogue` of another language has a
form for each template; what it lacks stays English. Nothing here knows who reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter
from typing import TypeAlias, Union

FIRST_STRONG, LEFT_TO_RIGHT, END = "\u2068", "\u2066", "\u2069"
"""Unicode's isolates: what is between them cannot turn the order of the words around it."""

_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CODE = re.compile("`([^`]+)`")


class Language(StrEnum):
    """The languages that sentences can be shown in."""

    ENGLISH = "en"
    ARABIC = "ar"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, or a part of one: its English text, and the template by which catalogues know it."""

    template: str
    english: str
    values: tuple[tuple[str, SentenceValue], ...] = ()

    def __str__(self) -> str:
        return self.english


SentenceValue: TypeAlias = Union[str, int, float, Sentence]  # noqa: UP007 - Sentence names it before
"""What a sentence speaks of: a number, somebody else's text or a name, or a sentence in it."""


def say(template: str, /, **values: SentenceValue) -> Sentence:
    """Make a sentence of a template, `{name}` for each value; one without values may have any braces."""
    return Sentence(template, template.format(**values) if values else template, tuple(values.items()))


def as_said(text: str) -> Sentence:
    """Take somebody else's sentence as it is; a catalogue may know it by its whole text."""
    return Sentence(text, text)


def isolate(text: str) -> str:
    """Wrap what somebody wrote, of either direction, so that it stays one thing, whatever is in it."""
    return f"{FIRST_STRONG}{_TURNING.sub('', text)}{END}"


def _isolate_code(text: str) -> str:
    return _CODE.sub(rf"{LEFT_TO_RIGHT}\1{END}", text)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The sentences of one language, by their English templates.

    A form has the placeholders of its template, `{count:noun}` for a number with its noun, and code that is
    written from left to right in `backticks`.
    """

    forms: Mapping[str, str]
    nouns: Mapping[str, Callable[[float], str]]

    def render(self, sentence: Sentence) -> str:
        """Show a sentence; English where there is no form, or not what the form speaks of."""
        form = self.forms.get(sentence.template)
        if form is None:
            return sentence.english
        values = dict(sentence.values)
        if any(name not in values for _, name, _, _ in Formatter().parse(form) if name is not None):
            return sentence.english
        return "".join(self._render_parts(form, values))

    def _render_parts(self, form: str, values: Mapping[str, SentenceValue]) -> Iterator[str]:
        text = ""  # a brace ends what the parser gives at once, and is a part of code all the same
        for literal, name, noun, _ in Formatter().parse(form):
            text += literal
            if name is not None:
                yield _isolate_code(text)
                yield self._render_value(values[name], noun)
                text = ""
        yield _isolate_code(text)

    def _render_value(self, value: SentenceValue, noun: str | None) -> str:
        if isinstance(value, Sentence):
            known = value.template in self.forms
            return self.render(value) if known else isolate(value.english)
        if isinstance(value, str):
            return isolate(value)
        return self.nouns[noun](value) if noun else f"{value:g}" if isinstance(value, float) else str(value)
