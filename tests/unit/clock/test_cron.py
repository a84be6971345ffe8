"""What each form of a cron text names, and what is refused with which advice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sundial_clock.schedule import ScheduleError, compile_schedule
from sundial_clock.spec import Schedule

START = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday, and never a slot itself


def slots(cron: str, count: int = 4, name: str = "team/job", after: datetime = START) -> list[str]:
    schedule = compile_schedule(Schedule(cron=cron), name=name, created_at=START)
    return [f"{slot:%Y-%m-%d %H:%M:%S}".removesuffix(":00") for slot in schedule.slots_after(after, count)]


@pytest.mark.parametrize(
    ("full", "short"),
    [
        pytest.param("0 0 * * friday", "0 0 * * FRI", id="a weekday"),
        pytest.param("0 0 1 JANUARY *", "0 0 1 JAN *", id="a month"),
        pytest.param("0 0 1 May,september *", "0 0 1 MAY,SEP *", id="months in a list"),
        pytest.param("0 0 1 March-November/2 *", "0 0 1 MAR-NOV/2 *", id="a range of months"),
        pytest.param("0 0 * * Monday-WED", "0 0 * * MON-WED", id="full and short"),
        pytest.param("0 0 * * Saturday-Sunday", "0 0 * * SAT-SUN", id="to Sunday"),
        pytest.param("0 0 * * Sunday-Monday", "0 0 * * SUN-MON", id="from Sunday"),
        pytest.param("0 0 * * FridayL", "0 0 * * FRIL", id="the last Friday"),
        pytest.param("0 0 * * LFriday", "0 0 * * LFRI", id="L before it"),
        pytest.param("0 0 * * Wednesday#2", "0 0 * * WED#2", id="the second Wednesday"),
    ],
)
def test_full_names_are_the_short_ones(full: str, short: str) -> None:
    assert slots(full, 8) == slots(short, 8) != []


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        pytest.param("0 9 * * *", "2026-01-01 09:00|2026-01-02 09:00", id="five fields"),
        pytest.param(
            "15 0 9 * * *", "2026-01-01 09:00:15|2026-01-02 09:00:15", id="six fields, seconds first"
        ),
        pytest.param("0 0 0 1 1 * 2028", "2028-01-01 00:00", id="seven fields, year last"),
        pytest.param("0 0 0 1 1 ? 2027-2029/2", "2027-01-01 00:00|2029-01-01 00:00", id="years stepped"),
        pytest.param("  0\t9  * * *  ", "2026-01-01 09:00|2026-01-02 09:00", id="blanks and tabs"),
        pytest.param("00 09 01 02 *", "2026-02-01 09:00|2027-02-01 09:00", id="leading zeros"),
        pytest.param("@yearly", "2027-01-01 00:00|2028-01-01 00:00", id="@yearly"),
        pytest.param("@annually", "2027-01-01 00:00|2028-01-01 00:00", id="@annually"),
        pytest.param("@monthly", "2026-02-01 00:00|2026-03-01 00:00", id="@monthly"),
        pytest.param("@weekly", "2026-01-04 00:00|2026-01-11 00:00", id="@weekly is Sunday"),
        pytest.param("@daily", "2026-01-02 00:00|2026-01-03 00:00", id="@daily is never hashed"),
        pytest.param("@Midnight", "2026-01-02 00:00|2026-01-03 00:00", id="@midnight in any case"),
        pytest.param("@hourly", "2026-01-01 01:00|2026-01-01 02:00", id="@hourly"),
        pytest.param("0 0 1 FEB,jul *", "2026-02-01 00:00|2026-07-01 00:00", id="month names"),
        pytest.param("0 0 1 Nov-DEC *", "2026-11-01 00:00|2026-12-01 00:00", id="month range"),
        pytest.param(
            "0 0 * * mon-WED", "2026-01-05 00:00|2026-01-06 00:00|2026-01-07 00:00", id="weekday names"
        ),
        pytest.param("0 0 * * 0", "2026-01-04 00:00|2026-01-11 00:00", id="Sunday is 0"),
        pytest.param("0 0 * * 7", "2026-01-04 00:00|2026-01-11 00:00", id="Sunday is 7"),
        pytest.param("0 0 * * 5-7", "2026-01-02 00:00|2026-01-03 00:00|2026-01-04 00:00", id="Friday to 7"),
        pytest.param("0 0 * * SAT-SUN", "2026-01-03 00:00|2026-01-04 00:00|2026-01-10 00:00", id="to SUN"),
        pytest.param("0 0 * * SUN-MON", "2026-01-04 00:00|2026-01-05 00:00|2026-01-11 00:00", id="from SUN"),
        pytest.param("0 0 * * 1-7/3", "2026-01-04 00:00|2026-01-05 00:00|2026-01-08 00:00", id="1,4,7"),
        pytest.param("5-5 0 * * *", "2026-01-01 00:05|2026-01-02 00:05", id="a range of one is that one"),
        pytest.param("0 0 * JAN-JAN THU-THU", "2026-01-08 00:00|2026-01-15 00:00", id="names of one"),
        pytest.param(
            "59/15 0 * * *", "2026-01-01 00:59|2026-01-02 00:59", id="the maximum stepped is itself"
        ),
        pytest.param("50/15 0 * * *", "2026-01-01 00:50|2026-01-02 00:50", id="n/step runs to the maximum"),
        pytest.param("*/90 * * * *", "2026-01-01 01:00|2026-01-01 02:00", id="a step wider than the field"),
        pytest.param(
            "0 */7 * * *", "2026-01-01 07:00|2026-01-01 14:00|2026-01-01 21:00|2026-01-02 00:00", id="*/7"
        ),
        pytest.param("1,2-4,7-9/2 0 1 1 *", "2026-01-01 00:01|2026-01-01 00:02|2026-01-01 00:03", id="list"),
        pytest.param("? ? ? ? ?", "2026-01-01 00:01|2026-01-01 00:02", id="? is * everywhere"),
        pytest.param("0 0 13 * 5", "2026-01-02 00:00|2026-01-09 00:00|2026-01-13 00:00", id="day or weekday"),
        pytest.param("0 0 13 * ?", "2026-01-13 00:00|2026-02-13 00:00", id="? does not restrict"),
        pytest.param(
            "0 0 */10 * MON", "2026-01-05 00:00|2026-01-11 00:00|2026-01-12 00:00", id="*/n restricts"
        ),
        pytest.param(
            "0 0 31 * */2", "2026-01-03 00:00|2026-01-04 00:00|2026-01-06 00:00", id="weekday */n restricts"
        ),
        pytest.param("0 0 */1 * MON", "2026-01-05 00:00|2026-01-12 00:00", id="*/1 is *, as in a CronJob"),
        pytest.param("0 0 1-31 * MON", "2026-01-02 00:00|2026-01-03 00:00", id="1-31 restricts"),
        pytest.param("0 0 1 * 0-6", "2026-01-02 00:00|2026-01-03 00:00", id="0-6 restricts"),
        pytest.param("0 0 *,5 * MON", "2026-01-05 00:00|2026-01-12 00:00", id="a bare * in a list does not"),
        pytest.param("0 0 L * *", "2026-01-31 00:00|2026-02-28 00:00|2026-03-31 00:00", id="L"),
        pytest.param("0 0 15,L * *", "2026-01-15 00:00|2026-01-31 00:00|2026-02-15 00:00", id="L in a list"),
        pytest.param("0 0 30-L * *", "2026-01-30 00:00|2026-01-31 00:00|2026-03-30 00:00", id="to L"),
        pytest.param("0 0 * * L5", "2026-01-30 00:00|2026-02-27 00:00", id="L5"),
        pytest.param("0 0 * * 5L", "2026-01-30 00:00|2026-02-27 00:00", id="5L"),
        pytest.param("0 0 * * friL", "2026-01-30 00:00|2026-02-27 00:00", id="FRIL"),
        pytest.param("0 0 * * L7", "2026-01-25 00:00|2026-02-22 00:00", id="L7 is the last Sunday"),
        pytest.param("0 0 LW * *", "2026-01-30 00:00|2026-02-27 00:00|2026-03-31 00:00", id="LW"),
        pytest.param(
            "0 0 LW 5 *", "2026-05-29 00:00|2027-05-31 00:00", id="LW of a month that ends on Sunday"
        ),
        pytest.param(
            "0 0 15W * *", "2026-01-15 00:00|2026-02-16 00:00|2026-03-16 00:00", id="15W, Sunday to Monday"
        ),
        pytest.param("0 0 14W 2,3 *", "2026-02-13 00:00|2026-03-13 00:00", id="14W, Saturday to Friday"),
        pytest.param(
            "0 0 1W 8 *", "2026-08-03 00:00|2027-08-02 00:00", id="1W on a Saturday stays in its month"
        ),
        pytest.param(
            "0 0 31W 5 *", "2026-05-29 00:00|2027-05-31 00:00", id="31W on a Sunday stays in its month"
        ),
        pytest.param("0 0 31W * *", "2026-01-30 00:00|2026-03-31 00:00", id="31W needs a 31st"),
        pytest.param("0 0 1W,15W * *", "2026-01-15 00:00|2026-02-02 00:00", id="W in a list"),
        pytest.param("0 0 * * 5#3", "2026-01-16 00:00|2026-02-20 00:00", id="5#3"),
        pytest.param("0 0 * * FRI#5", "2026-01-30 00:00|2026-05-29 00:00", id="a fifth Friday"),
        pytest.param("0 0 * * 7#1", "2026-01-04 00:00|2026-02-01 00:00", id="7#1 is the first Sunday"),
        pytest.param("0 0 * * MON#1,MON#3", "2026-01-05 00:00|2026-01-19 00:00", id="# in a list"),
        pytest.param(
            "0 0 * * SAT,5#3", "2026-01-03 00:00|2026-01-10 00:00|2026-01-16 00:00", id="# beside a weekday"
        ),
        pytest.param("0 0 15W * 5#3", "2026-01-15 00:00|2026-01-16 00:00|2026-02-16 00:00", id="W or #"),
        pytest.param("0 0 L * L1", "2026-01-26 00:00|2026-01-31 00:00|2026-02-23 00:00", id="L or L1"),
        pytest.param("0 0 29 2 *", "2028-02-29 00:00|2032-02-29 00:00", id="leap day"),
        pytest.param("0 0 30 2 *", "", id="30 February"),
        pytest.param("0 0 31 4,6,9,11 *", "", id="31st of short months"),
        pytest.param("0 0 0 1 1 * 2020", "", id="a year that has passed"),
        pytest.param("0 0 0 1 1 * 2036", "2036-01-01 00:00", id="ten years ahead, to the instant"),
        pytest.param("0 0 0 2 1 * 2036", "", id="beyond ten years"),
    ],
)
def test_named_slots(cron: str, expected: str) -> None:
    wanted = expected.split("|") if expected else []
    assert slots(cron, len(wanted) or 3) == wanted


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        pytest.param("", ["0 fields", "write 5"], id="empty"),
        pytest.param("   ", ["0 fields"], id="blank"),
        pytest.param("* * * *", ["4 fields", "write 5"], id="four fields"),
        pytest.param("* * * * * * * *", ["8 fields"], id="eight fields"),
        pytest.param("60 * * * *", ["minute", "60", "0 to 59"], id="minute 60"),
        pytest.param("* 24 * * *", ["hour", "24", "0 to 23"], id="hour 24"),
        pytest.param("* * 0 * *", ["day-of-month", "1 to 31"], id="day 0"),
        pytest.param("* * 32 * *", ["day-of-month", "1 to 31"], id="day 32"),
        pytest.param("* * * 13 *", ["month", "1 to 12"], id="month 13"),
        pytest.param("* * * 0-5 *", ["month", "1 to 12"], id="month 0 in a range"),
        pytest.param("* * * * 8", ["weekday", "0 to 7"], id="weekday 8"),
        pytest.param("60 * * * * *", ["second", "0 to 59"], id="second 60"),
        pytest.param("0 0 0 1 1 * 1969", ["year", "1970 to 2099"], id="year 1969"),
        pytest.param("99999999999999999999 * * * *", ["minute", "0 to 59"], id="huge number"),
        pytest.param("-1 * * * *", ["minute"], id="negative"),
        pytest.param("1.5 * * * *", ["minute"], id="decimal"),
        pytest.param("1,,2 * * * *", ["minute"], id="empty part"),
        pytest.param("1, * * * *", ["minute"], id="trailing comma"),
        pytest.param("*/0 * * * *", ["minute", "step 0"], id="step 0"),
        pytest.param("*/ * * * *", ["minute"], id="no step"),
        pytest.param("/5 * * * *", ["minute"], id="no start"),
        pytest.param("*-5 * * * *", ["minute"], id="range from *"),
        pytest.param("1-5-7 * * * *", ["minute"], id="double range"),
        pytest.param("1/2/3 * * * *", ["minute"], id="double step"),
        pytest.param("30-10 * * * *", ["minute", "backwards", "30-59,0-10"], id="reversed minutes"),
        pytest.param("0 20-10 * * *", ["hour", "20-23,0-10"], id="reversed hours"),
        pytest.param("0 0 20-10 * *", ["day-of-month", "20-31,1-10"], id="reversed days"),
        pytest.param("0 0 * NOV-FEB *", ["month", "11-12,1-2"], id="reversed months"),
        pytest.param("0 0 * * FRI-MON", ["weekday", "5-7,0-1"], id="reversed weekdays"),
        pytest.param("0 0 * * 7-2", ["weekday", "backwards"], id="from 7"),
        pytest.param("0 0 * * MONDA", ["weekday", "MONDA", "MON-FRI"], id="part of a name"),
        pytest.param("0 0 * * MONDAYS", ["weekday", "MON-FRI"], id="more than a name"),
        pytest.param("0 0 * JANUAR *", ["month", "JAN"], id="a name of another language"),
        pytest.param("0 0 * MONDAY *", ["month"], id="full weekday as month"),
        pytest.param("0 0 FRIDAY * *", ["day-of-month"], id="full weekday as day"),
        pytest.param("0 0 * * FRIDAY-MONDAY", ["weekday", "FRIDAY-MONDAY", "5-7,0-1"], id="reversed, full"),
        pytest.param("0 0 * MON *", ["month"], id="weekday as month"),
        pytest.param("JAN * * * *", ["minute"], id="name in a number field"),
        pytest.param("0 0 * * L", ["weekday", "L5", "day-of-month"], id="L alone as weekday"),
        pytest.param("0 0 L-3 * *", ["L-3", "LW"], id="L-3"),
        pytest.param("0 0 32W * *", ["day-of-month", "1 to 31"], id="32W"),
        pytest.param("0 0 W * *", ["day-of-month", "15W"], id="W alone"),
        pytest.param("0 0 1-15W * *", ["day-of-month"], id="range with W"),
        pytest.param("0 0 * * 5#6", ["5#6", "#1 to #5"], id="sixth Friday"),
        pytest.param("0 0 * * 5#0", ["5#0", "#1 to #5"], id="Friday 0"),
        pytest.param("0 0 * * 8#1", ["weekday", "0 to 7"], id="weekday 8#1"),
        pytest.param("0 0 * * MON-FRI#1", ["weekday"], id="range with #"),
        pytest.param("L * * * *", ["minute"], id="L as minute"),
        pytest.param("H(0-60) * * * *", ["minute", "0 to 59"], id="H too wide"),
        pytest.param("H(30-10) * * * *", ["minute", "H(0-59)"], id="H reversed"),
        pytest.param("H/0 * * * *", ["minute", "step 0"], id="H/0"),
        pytest.param("H,5 * * * *", ["minute", "alone"], id="H in a list"),
        pytest.param("H(H(1-2)-5) * * * *", ["minute", "alone"], id="nested H"),
        pytest.param("0 0 0 1 1 * H", ["year", "at random"], id="H as year"),
        pytest.param("R * * * *", ["minute"], id="random is not stable"),
        pytest.param("TZ=UTC 0 9 * * *", ["TZ=", "timeZone"], id="TZ="),
        pytest.param("CRON_TZ=Africa/Cairo 0 9 * * *", ["CRON_TZ=", "timeZone"], id="CRON_TZ="),
        pytest.param("@every 5m", ["interval"], id="@every"),
        pytest.param("@reboot", ["@reboot", "0 9 * * *"], id="@reboot"),
        pytest.param("@fortnightly", ["@fortnightly", "@daily"], id="unknown @name"),
        pytest.param("@daily 5", ["@daily"], id="@name and more"),
        pytest.param("\u0665 * * * *", ["u0665"], id="Arabic digit"),
        pytest.param("\uff15 * * * *", ["uff15"], id="full-width digit"),
        pytest.param("5\u00a0* * * *", ["xa0"], id="no-break space"),
        pytest.param("5 * * *\n* *", [r"\n"], id="line break"),
        pytest.param("5\0 * * * *", [r"\x00"], id="NUL"),
        pytest.param("\ud800 * * * *", ["ud800"], id="lone surrogate"),
        pytest.param("* " * 50_000, ["100000 characters", "at most 256"], id="100 KB"),
        pytest.param("H(" * 100 + " * * * *", ["minute"], id="deep brackets"),
    ],
)
def test_refused(cron: str, words: list[str]) -> None:
    with pytest.raises(ScheduleError) as refusal:
        slots(cron)
    assert refusal.value.field == "schedule.cron"
    assert all(word in str(refusal.value) for word in words), str(refusal.value)
    assert "write" in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("cron", "name", "expected"),
    [
        pytest.param("H H * * *", "team/job", "2026-01-01 08:52|2026-01-02 08:52", id="per field"),
        pytest.param("H H * * *", "team/other", "2026-01-01 08:29|2026-01-02 08:29", id="per name"),
        pytest.param("H/15 0 1 1 *", "team/job", "2026-01-01 00:07|2026-01-01 00:22", id="H/15"),
        pytest.param(
            "H(0-29)/10 0 1 1 *",
            "team/job",
            "2026-01-01 00:02|2026-01-01 00:12|2026-01-01 00:22",
            id="H(0-29)/10",
        ),
        pytest.param("0 H(1-5) * * *", "team/job", "2026-01-01 02:00|2026-01-02 02:00", id="H(1-5)"),
        pytest.param("H 0 0 1 1 *", "team/job", "2026-01-01 00:00:26", id="H as second"),
        pytest.param("0 0 H * *", "team/job", "2026-01-17 00:00", id="H as day"),
    ],
)
def test_hashes_are_stable(cron: str, name: str, expected: str) -> None:
    wanted = expected.split("|")
    assert slots(cron, len(wanted), name) == wanted


def test_hashes_spread() -> None:
    assert len({slots("H * * * *", 1, f"team/job-{index}")[0] for index in range(300)}) > 50
