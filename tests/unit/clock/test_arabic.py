"""Schedules and what is wrong with them in Arabic: the six forms, the words, what is isolated."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sundial_clock.arabic.plurals import DAY, HOUR, MINUTE, NOUNS, SECOND
from sundial_clock.arabic.sentences import ARABIC
from sundial_clock.schedule import ScheduleError, compile_schedule
from sundial_clock.sentences import Language
from sundial_clock.spec import CronFields, Interval, Schedule

CREATED = datetime.fromisoformat("2026-01-01T00:00:00Z")
ZONE = " (\u2068UTC\u2069)"


def text(**spec: Any) -> str:
    schedule = Schedule(**spec)
    return compile_schedule(schedule, name="team/job", created_at=CREATED, language=Language.ARABIC).text


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 أيام"),
        (1, "يوم"),
        (2, "يومين"),
        (3, "3 أيام"),
        (10, "10 أيام"),
        (11, "11 يومًا"),
        (99, "99 يومًا"),
        (100, "100 يوم"),
        (102, "102 يوم"),
        (103, "103 أيام"),
        (111, "111 يومًا"),
        (1.5, "1.5 يوم"),
        (1000000, "1000000 يوم"),
    ],
)
def test_six_forms_of_a_counted_noun(number: float, expected: str) -> None:
    assert DAY(number) == expected


@pytest.mark.parametrize("noun", [HOUR, MINUTE, SECOND, *NOUNS.values()])
def test_no_form_of_a_noun_is_missing(noun: Any) -> None:
    assert all((noun.one, noun.two, noun.few, noun.many, noun.other))


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* * * * *", "كل دقيقة"),
        ("*/2 * * * *", "كل دقيقتين"),
        ("*/5 * * * *", "كل 5 دقائق"),
        ("7/15 * * * *", "كل 15 دقيقة بدءًا من الدقيقة 7"),
        ("0 */2 * * *", "كل ساعتين"),
        ("30 * * * *", "عند الدقيقة 30 من كل ساعة"),
        ("*/15 9-17 * * 1-5", "كل 15 دقيقة من 09:00 حتى 17:59، أيام الاثنين إلى الجمعة"),
        ("0 9 * * *", "الساعة 09:00، كل يوم"),
        ("0 9,12 * * 5", "الساعة 09:00 و12:00، يوم الجمعة"),
        ("0 9 1 * *", "الساعة 09:00، في اليوم 1 من الشهر"),
        ("0 9 1,15 * *", "الساعة 09:00، في اليومين 1 و15 من الشهر"),
        ("0 9 L * *", "الساعة 09:00، في آخر يوم من الشهر"),
        ("0 9 15W * *", "الساعة 09:00، في يوم العمل (من الاثنين إلى الجمعة) الأقرب إلى اليوم 15 من الشهر"),
        ("0 9 * * 5#3", "الساعة 09:00، في ثالث جمعة من الشهر"),
        ("0 0 13 * 5", "الساعة 00:00، في اليوم 13 من الشهر أو يوم الجمعة"),
        ("0 0 1 1 *", "الساعة 00:00، في اليوم 1 من الشهر، في يناير"),
        ("0 0 1 JAN-MAR *", "الساعة 00:00، في اليوم 1 من الشهر، في أشهر يناير إلى مارس"),
        ("30 0 9 * * *", "الساعة 09:00:30، كل يوم"),
        ("* * 9 * * *", "كل ثانية من 09:00 حتى 09:59"),
        ("0 0 9 1 1 * 2027,2028", "الساعة 09:00، في اليوم 1 من الشهر، في يناير، في سنتي 2027 و2028"),
    ],
)
def test_cron_in_arabic(cron: str, expected: str) -> None:
    assert text(cron=cron) == expected + ZONE


def test_cron_fields_in_arabic() -> None:
    fields = CronFields(week="53", day="1-7", day_of_week="mon,sun", year=2027)
    expected = (
        "الساعة 00:00، في الأيام 1 إلى 7 من الشهر، على أن يكون أحد أيام الاثنين والأحد،"
        " في الأسبوع 53 بترقيم \u2068ISO\u2069، في سنة 2027"
    )
    assert text(cron_fields=fields) == expected + ZONE


def test_intervals_instants_and_windows_in_arabic() -> None:
    instant = "\u20682026-01-01 00:00:00 UTC\u2069"
    assert text(interval=Interval(hours=1)) == "كل ساعة"
    assert text(interval=Interval(weeks=1, days=2), anchor=CREATED) == f"كل أسبوع ويومين بدءًا من {instant}"
    assert text(at=CREATED) == f"مرة واحدة في {instant}"
    window = text(interval=Interval(minutes=11), starts_at=CREATED, ends_at=CREATED)
    assert window == f"كل 11 دقيقة، من {instant}، حتى {instant}"


numbers = st.lists(st.integers(0, 59), min_size=1, max_size=40).map(lambda found: ",".join(map(str, found)))


@given(numbers, st.integers(0, 23), st.integers(1, 31), st.sampled_from(["*", "5", "1-5", "L5", "2#1"]))
def test_any_schedule_has_arabic_words_and_closed_isolates(
    minutes: str, hour: int, day: int, weekday: str
) -> None:
    said = text(cron=f"{minutes} {hour} {day} * {weekday}", time_zone="Africa/Cairo")
    assert said.count("\u2068") == said.count("\u2069") == 1
    assert not [char for char in said.partition("\u2068")[0] if char.isascii() and char.isalpha()]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"cron": "0 24 * * *"}, 'حقل الساعة \u2068"24"\u2069: خارج المدى؛ اكتب من 0 إلى 23.'),
        (
            {"cron": "0 9 * * L"},
            'حقل يوم الأسبوع \u2068"L"\u2069: لا يسمّي يومًا من الأسبوع؛ اكتب \u2066L5\u2069 لآخر جمعة،'
            " أو \u2066L\u2069 في حقل يوم الشهر.",
        ),
        (
            {"cron_fields": CronFields(hour="x" * 300)},
            '\u2068hour\u2069 \u2068"' + "x" * 40 + '..."\u2069: طوله 300 حرف؛ اكتب 256 حرفًا على الأكثر.',
        ),
    ],
    ids=str,
)
def test_what_is_wrong_in_arabic(spec: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        text(**spec)
    assert ARABIC.render(refused.value.sentence) == expected
    assert str(refused.value) == refused.value.sentence.english
