"""What was stored in English and is of a closed set, in Arabic: by its reason, or by its kind and text."""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "rule:exactly one of taskFunctionRef and template must be set": (
        "حدّد واحدًا فقط من `taskFunctionRef` و`template`"
    ),
    "rule:must be less than timeoutSeconds": "يجب أن يكون أقل من `timeoutSeconds`",
    "rule:must be less than 300, the timeout when timeoutSeconds is left out; set timeoutSeconds too": (
        "يجب أن يكون أقل من 300، وهي المهلة حين لا تُحدَّد `timeoutSeconds`؛ حدّد `timeoutSeconds` أيضًا"
    ),
    "rule:exactly one of cron, cronFields, interval and at must be set": (
        "حدّد واحدًا فقط من `cron` و`cronFields` و`interval` و`at`"
    ),
    "rule:goes only with interval; use startsAt to say when another schedule begins": (
        "لا يكون إلا مع `interval`؛ استعمل `startsAt` لبداية جدول آخر"
    ),
    "rule:must be later than startsAt": "يجب أن يكون بعد `startsAt`",
    "rule:must not name a time zone; write it into timeZone beside cron": (
        "لا تُكتب المنطقة الزمنية هنا؛ اكتبها في `timeZone` بجانب `cron`"
    ),
    "rule:must not be @every; use interval instead, for example interval: {minutes: 5}": (
        "لا تكتب `@every`؛ استعمل `interval`، مثل `interval: {{minutes: 5}}`"
    ),
    "rule:must be 5 cron fields (minute hour day month weekday), 6 with leading seconds or 7 with a trailing"
    " year, or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly": (
        "اكتب 5 حقول (الدقيقة والساعة واليوم والشهر ويوم الأسبوع)، أو 6 (الثواني أولًا)، أو 7 (والسنة آخرًا)،"
        " أو أحد الأسماء `@yearly` و`@annually` و`@monthly` و`@weekly` و`@daily` و`@midnight` و`@hourly`"
    ),
    "rule:set at least one of second, minute, hour, day, month, dayOfWeek, week and year, for example"
    ' {hour: 9, dayOfWeek: "mon-fri"}': (
        "حدّد حقلًا واحدًا على الأقل من `second` و`minute` و`hour` و`day` و`month` و`dayOfWeek` و`week`"
        ' و`year`، مثل `{{hour: 9, dayOfWeek: "mon-fri"}}`'
    ),
    "rule:must be a number, a name, *, */n, a-b, a-b/n, last, or a list of these with commas": (
        "اكتب رقمًا أو اسمًا أو `*` أو `*/n` أو `a-b` أو `a-b/n` أو `last`، أو قائمة منها تفصلها فواصل"
    ),
    "rule:must be at least one second: set one of weeks, days, hours, minutes and seconds above 0": (
        "يجب أن تكون ثانية واحدة على الأقل: اجعل واحدًا من `weeks` و`days` و`hours` و`minutes` و`seconds`"
        " أكبر من 0"
    ),
    "rule:must be an IANA time zone such as Africa/Cairo or UTC, not an offset": (
        "اكتب منطقة زمنية من `IANA` مثل `Africa/Cairo` أو `UTC`، لا فارقًا"
    ),
    "rule:must be an IANA time zone such as Africa/Cairo or UTC": (
        "اكتب منطقة زمنية من `IANA` مثل `Africa/Cairo` أو `UTC`"
    ),
    "rule:goes only with policy: Queue; set that policy or remove maxQueued": (
        "لا يكون إلا مع `policy: Queue`؛ حدّد هذه السياسة أو احذف `maxQueued`"
    ),
}
"""What the API server refuses by the rules of our CRDs, as far as the API writes the fields."""

STORED: Mapping[str, str] = {
    "ready:Scheduled": "الجدول مقبول",
    "ready:Completed": "انقضى آخر موعد في الجدول",
    "ready:InvalidSpec": "المواصفة غير صالحة: {message}",
    "ready:InvalidSchedule": "الجدول غير صالح: {message}",
    "ready:TooFrequent": "المواعيد متقاربة أكثر مما يسمح به هذا التثبيت: {message}",
    "ready:NeverFires": "لا موعد للجدول في عشر سنوات؛ راجع اليوم والشهر والسنة و`startsAt` و`endsAt`",
    "ready:InThePast": "مضى الموعد دون تشغيل؛ اكتب موعدًا لاحقًا: {message}",
    "ready:TaskFunctionNotFound": "الدالة غير موجودة في هذا النطاق: {message}",
    "ready:TemplateMissing": "الدالة بلا قالب: {message}",
    "ready:TemplateInvalid": "القالب لا يصلح للتشغيل: {message}",
    "ready:InvalidArgs": "المعاملات لا توافق مخطط الدالة: {message}",
    "ready:InvalidParametersSchema": "مخطط معاملات الدالة لا يمكن استعماله: {message}",
    "ready:ArgsTooLarge": "المعاملات أكبر مما يجوز؛ أشر إلى البيانات الكبيرة بمكانها: {message}",
    "type:Interval": "فترة متكررة",
    "type:Run at fixed time intervals": "تشغيل على فترات ثابتة",
    "type:Cron": "`Cron`",
    "type:Run on cron schedule": "تشغيل وفق جدول `cron`",
    "type:Once": "مرة واحدة",
    "type:Run once, at an instant": "تشغيل مرة واحدة، في وقت محدد",
    "function:Inline template": "قالب خاص",
    "function:Jobs with their own template": "مهام لها قالب خاص",
    "function:There is no such task function.": "لا توجد دالة كهذه.",
}
