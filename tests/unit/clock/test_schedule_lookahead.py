"""What a schedule has found once it need not find again; the answers are those of one that never looked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sundial_clock.schedule import CompiledSchedule, compile_schedule
from sundial_clock.spec import Interval, Schedule

START = datetime(2026, 3, 28, 20, tzinfo=UTC)
SPECS = [
    Schedule(cron="*/20 * * * *"),
    Schedule(cron="30 2 * * *", time_zone="Europe/Berlin"),
    Schedule(cron="0 0 29 2 *"),
    Schedule(interval=Interval(hours=5, seconds=1)),
    Schedule(cron="0 * * * *", ends_at=START + timedelta(hours=9)),
    Schedule(at=START + timedelta(hours=3)),
]
INSTANTS = st.integers(-3600, 200_000).map(lambda seconds: START + timedelta(seconds=seconds))
QUESTIONS = st.lists(st.tuples(st.sampled_from(["next", "after", "latest"]), INSTANTS, INSTANTS), max_size=12)


def build(spec: Schedule) -> CompiledSchedule:
    return compile_schedule(spec, name="team/tick", created_at=START)


def ask(schedule: CompiledSchedule, question: str, one: datetime, other: datetime) -> object:
    if question == "next":
        return schedule.next_slot(one)
    if question == "after":
        return schedule.slots_after(one, 5)
    return schedule.latest_slots(min(one, other), max(one, other), 3)


@given(st.sampled_from(SPECS), QUESTIONS)
def test_what_was_asked_before_changes_no_answer(
    spec: Schedule, questions: list[tuple[str, datetime, datetime]]
) -> None:
    schedule = build(spec)
    for question in questions:
        assert ask(schedule, *question) == ask(build(spec), *question)
