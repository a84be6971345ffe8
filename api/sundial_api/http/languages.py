"""In which language does a caller read? As Accept-Language asks, English where it says nothing that is known.

Sentences are made as values, in English; here they are put into the caller's language, at the very edge
(docs/api-contract.md, "Languages").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sundial_api.http.arabic.catalogue import ARABIC
from sundial_clock.sentences import Catalogue, Language, Sentence

MAX_HEADER_CHARS = 1000
"""A longer Accept-Language is not read."""

STREAM = "text/event-stream"
"""Events are the same for all who listen, in English."""

CATALOGUES: Mapping[Language, Catalogue] = {Language.ARABIC: ARABIC}

_RANGE = re.compile(
    r"(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:\s*;\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?", re.ASCII
)
_NAME = "Accept-Language"
_KNOWN = {language.value: language for language in Language}
_CURRENT: ContextVar[Language] = ContextVar("language", default=Language.ENGLISH)


def choose_language(header: str | None) -> Language:
    """Choose what a header likes best, of equals the first; a malformed or huge one means English."""
    if not header or len(header) > MAX_HEADER_CHARS:
        return Language.ENGLISH
    found = [_RANGE.fullmatch(part.strip()) for part in header.lower().split(",") if part.strip()]
    wishes = [(match[1].partition("-")[0], float(match[2] or 1)) for match in found if match is not None]
    if len(wishes) < len(found):
        return Language.ENGLISH
    weights = _weigh(wishes)
    best = max(weights, key=lambda language: weights[language], default=Language.ENGLISH)
    return best if weights.get(best, 0) > 0 else Language.ENGLISH


def _weigh(wishes: list[tuple[str, float]]) -> dict[Language, float]:
    """Weigh the languages in the order in which they are named; a star stands for those that are not."""
    weights: dict[Language, float] = {}
    for tag, weight in wishes:
        if tag in _KNOWN:
            weights[_KNOWN[tag]] = max(weight, weights.get(_KNOWN[tag], 0))
    star = max((weight for tag, weight in wishes if tag == "*"), default=0.0)
    return weights | {language: star for language in Language if language not in weights}


def render(sentence: Sentence, language: Language) -> str:
    """Show a sentence in a language."""
    catalogue = CATALOGUES.get(language)
    return sentence.english if catalogue is None else catalogue.render(sentence)


def read_language(scope: Scope) -> Language:
    """Read the language of a request."""
    return cast(Language, scope.get("state", {}).get("language", Language.ENGLISH))


def current_language() -> Language:
    """Read the language of the request that is being answered; English outside of one."""
    return _CURRENT.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Let fields be written in a language while this lasts."""
    token = _CURRENT.set(language)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def _read_of_request(request: Request) -> Language:
    return read_language(request.scope)


CurrentLanguage = Annotated[Language, Depends(_read_of_request)]


class _ShownAsText:
    """Lets pydantic take a sentence as it is, and write it in the language of the request."""

    @staticmethod
    def __get_pydantic_core_schema__(source: type, _: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(
            source,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda sentence: render(sentence, current_language()), return_schema=core_schema.str_schema()
            ),
        )


Shown = Annotated[Sentence, _ShownAsText]
"""A sentence in an answer: there it is text in the caller's language."""


def show_stored(kind: str, text: str) -> str:
    """Show a stored text in the caller's language where its kind has it in a closed set; any other stays."""
    return render(Sentence(f"{kind}:{text}", text), current_language())


def mark_language(headers: MutableHeaders, language: Language) -> None:
    """Say in an answer's headers in which language it is, and that another caller may get another one."""
    headers["Content-Language"] = language.value
    if _NAME not in headers.get("Vary", ""):
        headers.add_vary_header(_NAME)


class LanguageMiddleware:
    """ASGI middleware; puts the language into `request.state.language`, and into the answer's headers."""

    def __init__(self, application: ASGIApp, prefix: str) -> None:
        self._application = application
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose the language of a request, unless it asks for what is for machines."""
        if scope["type"] != "http" or not self._is_for_people(scope["path"]):
            await self._application(scope, receive, send)
            return
        language = choose_language(", ".join(Headers(scope=scope).getlist(_NAME)))
        scope.setdefault("state", {})["language"] = language

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if not headers.get("Content-Type", "").startswith(STREAM):
                    mark_language(headers, language)
            await send(message)

        with speaking(language):
            await self._application(scope, receive, send_marked)

    def _is_for_people(self, path: str) -> bool:
        return path.startswith(self._prefix) and not path.endswith("/openapi.json")
