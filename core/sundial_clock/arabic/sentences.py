"""What is wrong with a schedule, in Arabic; the keys are the English templates."""

from __future__ import annotations

from collections.abc import Mapping

from sundial_clock.arabic.plurals import NOUNS
from sundial_clock.sentences import Catalogue

FORMS: Mapping[str, str] = {
    # the names of cron's fields
    "second": "الثانية",
    "minute": "الدقيقة",
    "hour": "الساعة",
    "day-of-month": "يوم الشهر",
    "month": "الشهر",
    "weekday": "يوم الأسبوع",
    "year": "السنة",
    # cron
    "the {field} field {text} {advice}": "حقل {field} {text}: {advice}",
    "{field} {text} {advice}": "{field} {text}: {advice}",
    "is not understood; write something like {example}.": "غير مفهوم؛ اكتب شيئًا مثل {example}.",
    "is out of range; write {low} to {high}.": "خارج المدى؛ اكتب من {low} إلى {high}.",
    "has the step 0; write a step of 1 or more.": "خطوته 0؛ اكتب خطوة من 1 فأكثر.",
    "has the step {step}; write a step of 1 to {widest}.": "خطوته {step}؛ اكتب خطوة من 1 إلى {widest}.",
    "runs backwards; write two parts such as {parts}.": "مداه معكوس؛ اكتب جزأين مثل {parts}.",
    "runs backwards; write it as two parts separated by a comma.": (
        "مداه معكوس؛ اكتبه جزأين تفصل بينهما فاصلة."
    ),
    "is {length} characters long; write at most {limit}.": (
        "طوله {length:character}؛ اكتب {limit:character} على الأكثر."
    ),
    "counts back from the last day, which is not supported; write L, LW or the days.": (
        "يعدّ رجوعًا من اليوم الأخير، وهذا غير مدعوم؛ اكتب `L` أو `LW` أو الأيام."
    ),
    "names no week of the month; write #1 to #5, or L5 for the last Friday.": (
        "لا يسمّي أسبوعًا من الشهر؛ اكتب من `#1` إلى `#5`، أو `L5` لآخر جمعة."
    ),
    "names no weekday; write L5 for the last Friday, or L in the day-of-month field.": (
        "لا يسمّي يومًا من الأسبوع؛ اكتب `L5` لآخر جمعة، أو `L` في حقل يوم الشهر."
    ),
    "mixes H with something else; write H, H/15, H(0-29) or H(0-29)/10 alone.": (
        "يخلط `H` بشيء آخر؛ اكتب `H` أو `H/15` أو `H(0-29)` أو `H(0-29)/10` وحدها."
    ),
    "would pick a year at random; write the year.": "سيختار سنة عشوائية؛ اكتب السنة.",
    "needs a range that grows; write {range}.": "يحتاج إلى مدى متزايد؛ اكتب {range}.",
    "{text} has 1 field; write 5 (minute hour day month weekday), 6 (seconds first) or 7 (seconds first, year"
    " last).": (
        "في {text} حقل واحد؛ اكتب 5 حقول (الدقيقة والساعة واليوم والشهر ويوم الأسبوع)، أو 6 (الثواني أولًا)،"
        " أو 7 (الثواني أولًا والسنة آخرًا)."
    ),
    "{text} has {count} fields; write 5 (minute hour day month weekday), 6 (seconds first) or 7 (seconds"
    " first, year last).": (
        "عدد الحقول في {text} هو {count}؛ اكتب 5 حقول (الدقيقة والساعة واليوم والشهر ويوم الأسبوع)، أو 6"
        " (الثواني أولًا)، أو 7 (الثواني أولًا والسنة آخرًا)."
    ),
    "cron is {length} characters long; write at most {limit}, or split the schedule.": (
        "طول `cron` هو {length:character}؛ اكتب {limit:character} على الأكثر، أو قسّم الجدول."
    ),
    "the character {character} has no place here; write digits, names, spaces and * , - / # ? ( ).": (
        "لا مكان هنا للحرف {character}؛ اكتب أرقامًا وأسماءً ومسافات و`* , - / # ? ( )`."
    ),
    "TZ= and CRON_TZ= have no place here; write the zone in timeZone.": (
        "لا مكان هنا لـ`TZ=` و`CRON_TZ=`؛ اكتب المنطقة الزمنية في `timeZone`."
    ),
    "@every is an interval; write interval, such as interval: {minutes: 5}.": (
        "`@every` فترة متكررة؛ اكتب `interval`، مثل `interval: {{minutes: 5}}`."
    ),
    "@reboot names no time; write a time such as 0 9 * * *, or use at to run once.": (
        "`@reboot` لا يسمّي وقتًا؛ اكتب وقتًا مثل `0 9 * * *`، أو استعمل `at` للتشغيل مرة واحدة."
    ),
    "{text} is not a known name; write one of {names}.": "{text} ليس اسمًا معروفًا؛ اكتب واحدًا من {names}.",
    'no field is given; write at least one field, such as hour: "9".': (
        'لا يوجد أي حقل؛ اكتب حقلًا واحدًا على الأقل، مثل `hour: "9"`.'
    ),
    # zones and instants
    "{zone} is not an IANA time zone; did you mean {meant}?": (
        "{zone} ليست منطقة زمنية في `IANA`؛ هل تقصد {meant}؟"
    ),
    "{zone} is not an IANA time zone; write a name like {meant} or UTC.": (
        "{zone} ليست منطقة زمنية في `IANA`؛ اكتب اسمًا مثل {meant} أو `UTC`."
    ),
    "the instant has no zone; end it with Z or an offset, such as 2026-12-01T08:00:00Z": (
        "ليس للوقت منطقة زمنية؛ اختمه بـ`Z` أو بفارق، مثل `2026-12-01T08:00:00Z`"
    ),
    "the year {year} is beyond the clock; write {first} to {last}": (
        "السنة {year} خارج ما تعرفه الساعة؛ اكتب من {first} إلى {last}"
    ),
    "{value} is not an instant; write a date, a time and an offset, such as 2026-12-01T08:00:00Z.": (
        "{value} ليس وقتًا محددًا؛ اكتب تاريخًا ووقتًا وفارقًا، مثل `2026-12-01T08:00:00Z`."
    ),
    "{value} is not in the calendar; write a date, a time and an offset, such as 2026-12-01T08:00:00Z.": (
        "{value} ليس في التقويم؛ اكتب تاريخًا ووقتًا وفارقًا، مثل `2026-12-01T08:00:00Z`."
    ),
    # the shape of a schedule
    "exactly one of cron, cronFields, interval and at must be set": (
        "حدّد واحدًا فقط من `cron` و`cronFields` و`interval` و`at`"
    ),
    "exactly one of cron, fields, interval and at must be set": (
        "حدّد واحدًا فقط من `cron` و`fields` و`interval` و`at`"
    ),
    "an anchor goes only with interval; remove it, or write interval": (
        "لا تكون `anchor` إلا مع `interval`؛ احذفها، أو اكتب `interval`"
    ),
    "{period} is negative; write 0 or more": "{period} سالب؛ اكتب 0 أو أكثر",
    "the period is zero; write at least one second, such as seconds: 30": (
        "الفترة صفر؛ اكتب ثانية واحدة على الأقل، مثل `seconds: 30`"
    ),
    "the period is longer than the calendar; write less than a million days": (
        "الفترة أطول من التقويم؛ اكتب أقل من مليون يوم"
    ),
    # questions to the clock
    "the key is not known here; write {key}.": "هذا المفتاح غير معروف هنا؛ اكتب {key}.",
    "{value} is not a text; write it in double quotes.": "{value} ليس نصًا؛ اكتبه بين علامتي اقتباس مزدوجتين.",
    "{value} is not possible; write a number from 1 to {limit}.": (
        "{value} غير ممكن؛ اكتب رقمًا من 1 إلى {limit}."
    ),
    "{value} is not a policy; write once or literal.": "{value} ليست سياسة؛ اكتب `once` أو `literal`.",
    "{value} is not a language here; write en or ar.": "{value} ليست لغة هنا؛ اكتب `en` أو `ar`.",
    "no more slots follow": "لا مواعيد بعدها",
    "no slot follows {instant}": "لا موعد بعد {instant}",
    "{value} is not a field; write {fields}.": "{value} ليس حقلًا؛ اكتب {fields}.",
    "{value} is not possible; write a number or a text.": "{value} غير ممكن؛ اكتب رقمًا أو نصًا.",
    "{value} is not a period; write {periods}.": "{value} ليست فترة؛ اكتب {periods}.",
    "{value} is not possible; write a whole number.": "{value} غير ممكن؛ اكتب رقمًا صحيحًا.",
    "{value} is not an object; write one such as {example}.": "{value} ليس كائنًا؛ اكتب كائنًا مثل {example}.",
    "{value} is not JSON; write one object a line.": "{value} ليس `JSON`؛ اكتب كائنًا واحدًا في كل سطر.",
    "{value} is not JSON; write an object such as {example}.": (
        "{value} ليس `JSON`؛ اكتب كائنًا مثل {example}."
    ),
}

ARABIC = Catalogue(FORMS, NOUNS)
"""All that the clock says."""
