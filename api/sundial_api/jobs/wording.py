"""What is shown of a job to a person: what the operator stored in English, in the caller's language.

The schedule in words is said anew from the schedule. Of a Ready message the reason says what is meant; what
it names beside that stays as the operator wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from sundial_api.http.languages import render
from sundial_api.http.schedule_config import parse_schedule_config
from sundial_clock.query import parse_query
from sundial_clock.schedule import compile_schedule
from sundial_clock.sentences import Language, Sentence
from sundial_core.resources.plans import Problem

MAX_REASON_CHARS = 980
"""How much is said of why a job cannot run: what an object tells may be long."""

_INSTANT = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC"
_WINDOW = re.compile(rf"(?:, from {_INSTANT})?(?:, until {_INSTANT})?$", re.ASCII)
"""How the window stands at the end of a stored text: a scheduleConfig has no window."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WordedSchedule:
    """A schedule as its row has it, with its text in English."""

    job_type: int
    config: bytes
    """The scheduleConfig as JSON."""
    time_zone: str
    name: str
    """namespace/name."""
    text: str

    @classmethod
    def of(
        cls, job_type: int, config: Mapping[str, Any], time_zone: str, name: str, text: str
    ) -> WordedSchedule:
        """Gather what the words depend on."""
        return cls(job_type, _write(config), time_zone, name, text)


def _write(config: Mapping[str, Any]) -> bytes:
    """Write a scheduleConfig as JSON; `null` for one with numbers or depths that no schedule has."""
    try:
        return orjson.dumps(config, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return b"null"


@lru_cache(maxsize=2048)
def show_schedule(stored: WordedSchedule, language: Language) -> str:
    """Say a schedule in a language; the stored text where the schedule cannot be read."""
    if language is Language.ENGLISH:
        return stored.text
    try:
        parsed = parse_schedule_config(stored.job_type, orjson.loads(stored.config))
        keys = {_KEYS.get(key, key): value for key, value in parsed.items()} | {"zone": stored.time_zone}
        schedule = parse_query(keys, _NEVER).schedule
        starts_at, ends_at = _read_window(stored.text)
        windowed = replace(schedule, starts_at=starts_at, ends_at=ends_at)
        return compile_schedule(windowed, name=stored.name, created_at=_NEVER, language=language).text
    except Exception:  # noqa: BLE001 - a stored schedule may be anything
        return stored.text


_KEYS = {"cronFields": "fields"}


def _read_window(text: str) -> tuple[datetime | None, datetime | None]:
    found = _WINDOW.search(text)
    starts_at, ends_at = found.groups() if found is not None else (None, None)
    return _read_instant(starts_at), _read_instant(ends_at)


def _read_instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def show_ready(reason: str | None, message: str | None, language: Language) -> str | None:
    """Say whether a job is accepted; the operator's own text where its reason is not known."""
    if message is None or reason is None:
        return message
    return render(Sentence(f"ready:{reason}", message, (("message", message),)), language)


def say_problem(problem: Problem) -> Sentence:
    """Say why a job cannot run, as its Ready condition would say it."""
    english = f"{problem.reason}: {problem.message}"[:MAX_REASON_CHARS]
    return Sentence(f"ready:{problem.reason}", english, (("message", problem.message[:MAX_REASON_CHARS]),))
