"""What is answered and warned of, in Arabic; the keys are the English templates."""

from __future__ import annotations

from collections.abc import Mapping

PROBLEMS: Mapping[str, str] = {
    # the framework's own
    "Not Found": "لا يوجد شيء بهذا العنوان",
    "Method Not Allowed": "هذا العنوان لا يقبل هذه الطريقة",
    "Bad Request": "الطلب غير سليم",
    "There was an error parsing the body": "تعذّرت قراءة متن الطلب",
    # who calls, and what they may do
    "{name} may not {action} in namespace {namespace}": "ليس لـ{name} حق {action} في النطاق {namespace}",
    "{name} may not {action} in all namespaces": "ليس لـ{name} حق {action} في كل النطاقات",
    "{name} may not {action} in all namespaces, nor in any that has something to list;"
    " name one with namespace=": (
        "ليس لـ{name} حق {action} في كل النطاقات، ولا في أي نطاق فيه ما يُعرض؛ سمِّ واحدًا بـ `namespace=`"
    ),
    "a token is needed: Authorization: Bearer ...": "يلزم رمز دخول: `Authorization: Bearer ...`",
    "the token has expired": "انتهت صلاحية رمز الدخول",
    "the token is not valid in this cluster": "رمز الدخول غير صالح في هذا العنقود",
    "the token has expired, or is not for this API": (
        "انتهت صلاحية رمز الدخول، أو أنه ليس لواجهة البرمجة هذه"
    ),
    "the token's signature is not one of the provider's": "توقيع رمز الدخول ليس من توقيعات المزوّد",
    "the token does not name its user: it has no claim {claim}": (
        "رمز الدخول لا يسمّي صاحبه: ليس فيه {claim}"
    ),
    "the provider has not verified the user's email address": "لم يتحقق المزوّد من بريد المستخدم الإلكتروني",
    "a name in the token is no text: it has a NUL, or half of a character": (
        "في رمز الدخول اسم ليس نصًا: فيه `NUL` أو نصف حرف"
    ),
    "a request has either a Content-Length or a Transfer-Encoding; leave one out": (
        "للطلب إما `Content-Length` أو `Transfer-Encoding`؛ احذف أحدهما"
    ),
    "the name of a user may not begin with {prefix}": "لا يجوز أن يبدأ اسم المستخدم بـ{prefix}",
    "the OpenID provider cannot be reached, so nobody can be identified": (
        "لا يمكن الوصول إلى مزوّد `OpenID`، فلا يمكن التعرّف على أحد"
    ),
    # requests as a whole
    "the request ended before its body": "انتهى الطلب قبل متنه",
    "a request may have at most {limit} bytes": "يجوز أن يكون في الطلب {limit:byte} على الأكثر",
    "the body of a request has to come within {seconds:g} seconds": (
        "يجب أن يصل متن الطلب خلال {seconds:second}"
    ),
    "too many requests are at work; try again": "الطلبات الجارية أكثر مما يجوز؛ أعد المحاولة",
    "it is still being found which namespaces you may list; try again in a moment": (
        "ما زال البحث جاريًا عن النطاقات التي يجوز لك عرضها؛ أعد المحاولة بعد لحظة"
    ),
    "you follow {count} event streams here already, and more are not permitted; close one, or share one"
    " stream among your pages": (
        "مجاري الأحداث التي تتابعها هنا {count}، ولا يُسمح بأكثر؛ أغلق واحدًا، أو اجعل صفحاتك تشترك في واحد"
    ),
    "{count} event streams are open here, and more are not served; read the lists instead, and try again"
    " later": (
        "مجاري الأحداث المفتوحة هنا {count}، ولا يُخدم أكثر منها؛ اقرأ القوائم بدلًا منها، وأعد المحاولة لاحقًا"
    ),
    "the body is not JSON": "متن الطلب ليس `JSON`",
    "too many schedules are being looked at; try again in a moment": (
        "تُفحص جداول كثيرة الآن؛ أعد المحاولة بعد لحظة"
    ),
    "something went wrong inside; the log of the API tells what": (
        "حدث خطأ داخلي؛ سجل واجهة البرمجة يبيّن ما هو"
    ),
    # the cluster and the database
    "the database cannot be reached; history and lists are back when it is": (
        "لا يمكن الوصول إلى قاعدة البيانات؛ يعود السجل والقوائم حين تعود"
    ),
    "the database did not answer in time; ask for less at once, or try again": (
        "لم تجب قاعدة البيانات في الوقت المحدد؛ اطلب أقل في المرة الواحدة، أو أعد المحاولة"
    ),
    "the database cannot be written, it has no place left; what is stored still reads": (
        "لا يمكن الكتابة في قاعدة البيانات، فقد امتلأت؛ وما خُزّن ما زال يُقرأ"
    ),
    "the database lacks tables or columns that this release needs; whoever operates it has to run"
    " sundial-database upgrade": (
        "تنقص قاعدة البيانات جداول أو أعمدة يحتاجها هذا الإصدار؛ على من يديرها أن يشغّل"
        " `sundial-database upgrade`"
    ),
    "the Kubernetes API server cannot be reached; look whether a change was made before you repeat it": (
        "لا يمكن الوصول إلى خادم `Kubernetes`؛ تحقّق هل حدث التغيير قبل أن تعيده"
    ),
    "the Kubernetes API server cannot be reached; try again in a moment": (
        "لا يمكن الوصول إلى خادم `Kubernetes`؛ أعد المحاولة بعد لحظة"
    ),
    "send the body as JSON, with the header Content-Type: application/json": (
        "أرسل المتن بصيغة `JSON`، مع الترويسة `Content-Type: application/json`"
    ),
    "the Kubernetes API server could not answer; try again": (
        "لم يستطع خادم `Kubernetes` أن يجيب؛ أعد المحاولة"
    ),
    "the API's own account may not ask the cluster who calls; it needs create on tokenreviews and"
    " subjectaccessreviews": (
        "ليس لحساب واجهة البرمجة نفسها أن يسأل العنقود من يطلب؛ يلزمه `create` على `tokenreviews`"
        " و`subjectaccessreviews`"
    ),
    "the API's own account may not do that in this cluster": (
        "حساب واجهة البرمجة نفسها لا يملك هذا الحق في هذا العنقود"
    ),
    "there is no such object in the cluster any more": "لم يعد هذا الكائن موجودًا في العنقود",
    "somebody else changes it at the same time; try again": "يغيّره شخص آخر في الوقت نفسه؛ أعد المحاولة",
    "the cluster's rules refuse it: {message}": "ترفضه قواعد العنقود: {message}",
    # lists
    "is not known here; what can be given is {names}": "غير معروف هنا؛ وما يمكن إعطاؤه هو {names}",
    "is written {name} here": "يُكتب هنا {name}",
    "the page is more than {limit} rows from either end; use cursor instead of page": (
        "الصفحة أبعد من {limit:row} عن الطرفين؛ استعمل `cursor` بدلًا من `page`"
    ),
    "is not a cursor of this list; take nextCursor of the page before": (
        "ليس مؤشرًا في هذه القائمة؛ خذ `nextCursor` من الصفحة السابقة"
    ),
    "is not a cursor of this list in this order; take nextCursor of the page before, with its sort": (
        "ليس مؤشرًا في هذه القائمة بهذا الترتيب؛ خذ `nextCursor` من الصفحة السابقة، مع `sort` نفسه"
    ),
    "has a name that is no field; the fields are: {names}": "فيه اسم ليس حقلًا؛ والحقول هي: {names}",
    # jobs
    "there is no job of that id": "لا توجد مهمة بهذا المعرّف",
    "there is no job of that id any more": "لم تعد هناك مهمة بهذا المعرّف",
    "there is no job of that id, and there is no history of one": "لا توجد مهمة بهذا المعرّف، ولا سجل لها",
    "this release cannot read the job's object; change it with kubectl": (
        "لا يستطيع هذا الإصدار قراءة كائن المهمة؛ غيّره بـ`kubectl`"
    ),
    "the job is nested more than {limit} levels deep; read it by kubectl get sj -o json": (
        "المهمة متداخلة أعمق من {limit:level}؛ اقرأها بـ`kubectl get sj -o json`"
    ),
    "the job is larger than {limit} KiB; read it by kubectl get sj -o json": (
        "المهمة أكبر من {limit} `KiB`؛ اقرأها بـ`kubectl get sj -o json`"
    ),
    "the job is paused; resume it first": "المهمة موقوفة مؤقتًا؛ استأنفها أولًا",
    "the job is disabled; enable it first": "المهمة معطّلة؛ فعّلها أولًا",
    "already running: {active} active, {allowed} allowed": "قيد التشغيل: الجاري {active} والمسموح {allowed}",
    "the job cannot run: {why}": "لا يمكن تشغيل المهمة: {why}",
    "the job cannot be started now; somebody who may read it is told why": (
        "لا يمكن تشغيل المهمة الآن؛ والسبب يُقال لمن يحق له قراءتها"
    ),
    "the job's schedule cannot be used; see readyMessage": (
        "لا يمكن استعمال جدول المهمة؛ انظر `readyMessage`"
    ),
    "{slot} is no slot of the schedule any more; trigger the job instead": (
        "لم يعد {slot} موعدًا في الجدول؛ شغّل المهمة مباشرةً بدلًا من ذلك"
    ),
    "the job is disabled, not only paused; enable it by PUT /jobs/{job_id}/status: that ends a pause too": (
        "المهمة معطّلة، لا موقوفة مؤقتًا فقط؛ فعّلها بـ`PUT /jobs/{{job_id}}/status`: وهذا ينهي الإيقاف أيضًا"
    ),
    "{keeper} keeps this job suspended; change spec.suspend in its source": (
        "{keeper} يبقي هذه المهمة معلّقة؛ غيّر `spec.suspend` في مصدرها"
    ),
    "this job is managed by {keeper}; change it in its source": (
        "هذه المهمة يديرها {keeper}؛ غيّرها في مصدرها"
    ),
    "the job was changed meanwhile; read it again": "تغيّرت المهمة في هذه الأثناء؛ اقرأها من جديد",
    "this Idempotency-Key was used more than 24 hours ago; use another one": (
        "استُعمل هذا `Idempotency-Key` قبل أكثر من 24 ساعة؛ استعمل غيره"
    ),
    "was used for another request; use another key, or send the same body again": (
        "استُعمل لطلب آخر؛ استعمل مفتاحًا آخر، أو أرسل المتن نفسه"
    ),
    "{name} is a task function of the system; its jobs stay": "{name} دالة من دوال النظام؛ ومهامها باقية",
    "{name} was started": "بدأ تشغيل {name}",
    "a run of {name} was asked for; {why}": "طُلب تشغيل {name}؛ {why}",
    "no operator leads now, and it waits for one; see isRunning in GET /status": (
        "لا يوجد `operator` يقود الآن، فهو ينتظر واحدًا؛ انظر `isRunning` في `GET /status`"
    ),
    "all starts are held now, and it waits; see hold in GET /status": (
        "كل التشغيل موقوف الآن، فهو ينتظر؛ انظر `hold` في `GET /status`"
    ),
    "its task function is missing, and it waits an hour for that": "دالته غير موجودة، وهو ينتظرها ساعة",
    "the run was asked for": "طُلب التشغيل",
    # pause, retry, backfill
    "has passed; write an instant in the future, or leave it out to pause until you resume": (
        "وقت مضى؛ اكتب وقتًا قادمًا، أو احذفه ليدوم الإيقاف حتى تستأنف"
    ),
    "the job of this execution is deleted; nothing is left to run again": (
        "حُذفت مهمة هذا التشغيل؛ ولم يبق ما يُعاد تشغيله"
    ),
    "only what failed, was cancelled or timed out is retried; this execution is {status}": (
        "لا يُعاد إلا ما فشل أو أُلغي أو انتهت مهلته؛ وحالة هذا التشغيل {status}"
    ),
    "is before from": "قبل `from`",
    "has not passed yet: it is {now}; only slots of the past are run": (
        "لم يمض بعد، فالوقت الآن {now}؛ ولا تُشغّل إلا مواعيد مضت"
    ),
    "is more than {count} days after from; cut the range": "بعد `from` بأكثر من {count:day}؛ قصّر المدى",
    "the range has {count} slots, and {limit} are run at once: end it at {last}, and begin the next one after"
    " that": (
        "في المدى {count:slot}، ويُشغّل منها في المرة الواحدة {limit}: اختمه عند {last}، وابدأ التالي بعد ذلك"
    ),
    "{wanted} runs at once are more than concurrencyPolicy {policy} takes now: there is room for"
    " {room}, with {active} active and {waiting} waiting; cut the range, or raise maxInstances, or have the"
    " resource queue more": (
        "المطلوب معًا {wanted:run}، وهذا أكثر مما تقبله `concurrencyPolicy` {policy} الآن: المتاح {room}،"
        " والجاري {active}، والمنتظر {waiting}؛ قصّر المدى، أو زد `maxInstances`، أو اجعل المورد يقبل انتظار"
        " المزيد"
    ),
    "the ScheduledJobRun {name} is there, and not for this slot; delete it": (
        "`ScheduledJobRun` المسمّى {name} موجود، وليس لهذا الموعد؛ احذفه"
    ),
    # task functions and arguments
    "is no task function; see GET /task-functions": "ليست دالة؛ انظر `GET /task-functions`",
    "is not offered for new jobs; choose an active one of GET /task-functions": (
        "ليست متاحة لمهام جديدة؛ اختر دالة نشطة من `GET /task-functions`"
    ),
    "is reserved for jobs with a template of their own": "محجوزة للمهام التي لها قالب خاص",
    "is in namespace {namespace}; a job cannot leave its namespace {own}": (
        "هي في النطاق {namespace}؛ ولا تغادر المهمة نطاقها {own}"
    ),
    "is in namespace {namespace}, and so are its jobs; leave namespace out": (
        "هي في النطاق {namespace}، وكذلك مهامها؛ احذف `namespace`"
    ),
    "has {count} fields, and may have {limit} at most; put some into one of them": (
        "عدد الحقول فيه {count}، والمسموح {limit} على الأكثر؛ اجمع بعضها في حقل واحد"
    ),
    "may have at most {limit} bytes; pass large data by reference": (
        "يجوز أن يكون فيه {limit:byte} على الأكثر؛ أشر إلى البيانات الكبيرة بمكانها"
    ),
    "is needed with another jobTypeId": "يلزم مع `jobTypeId` آخر",
    # scheduleConfig
    "there is no such job type; 1 is interval, 2 is cron, 3 is once": (
        "لا يوجد نوع كهذا؛ 1 هو `interval`، و2 هو `cron`، و3 هو `once`"
    ),
    '@every is an interval; write jobTypeId 1 and a scheduleConfig such as {"minutes": 5}': (
        '`@every` فترة متكررة؛ اكتب `jobTypeId` 1 و`scheduleConfig` مثل `{{"minutes": 5}}`'
    ),
    "@reboot names no time; write a time such as 0 9 * * *, or jobTypeId 3 to run once": (
        "`@reboot` لا يسمّي وقتًا؛ اكتب وقتًا مثل `0 9 * * *`، أو `jobTypeId` 3 للتشغيل مرة واحدة"
    ),
    "a schedule with none of the kinds that are known: {names}": "جدول ليس من الأنواع المعروفة: {names}",
    "set the instant at which to run, such as 2026-12-01T08:00:00Z": (
        "حدّد وقت التشغيل، مثل `2026-12-01T08:00:00Z`"
    ),
    "the period is zero; set at least one of {periods} above 0": (
        "الفترة صفر؛ اجعل واحدًا على الأقل من {periods} أكبر من 0"
    ),
    'set at least one field, such as {"hour": 9, "day_of_week": "mon-fri"}': (
        'حدّد حقلًا واحدًا على الأقل، مثل `{{"hour": 9, "day_of_week": "mon-fri"}}`'
    ),
    "has passed: it is {now}; write a later instant": "وقت مضى، فالوقت الآن {now}؛ اكتب وقتًا لاحقًا",
    "names no instant in the next {count} years: the job would never run": (
        "لا يسمّي وقتًا خلال {count:year} من الآن: لن تعمل المهمة أبدًا"
    ),
    "{what}; the resource has startsAt or endsAt, which count too": (
        "{what}؛ في المورد `startsAt` أو `endsAt`، ولهما أثر أيضًا"
    ),
    "{value} is not possible; write a whole number from 0": "{value} غير ممكن؛ اكتب رقمًا صحيحًا من 0",
    "{key} does not belong to {what}; it has {known}": "{key} ليس من {what}؛ ومن حقوله {known}",
    "a job that runs once": "مهمة تعمل مرة واحدة",
    "an interval": "فترة متكررة",
    "a cron expression": "تعبير `cron`",
    "a cron schedule": "جدول `cron`",
    # previews
    "the search took too long and was ended: later slots are missing here": (
        "طال البحث فأُنهي: المواعيد اللاحقة غير مذكورة هنا"
    ),
    "no slot in the next ten years: the job would never run": (
        "لا موعد في السنوات العشر القادمة: لن تعمل المهمة أبدًا"
    ),
    "H stands for a time that is made of the job's name: text and slots here are an example, and the job will"
    " have others; preview it by its jobId when it is made": (
        "`H` وقت يُحسب من اسم المهمة: النص والمواعيد هنا مثال، وستكون للمهمة مواعيد أخرى؛ عاينها بـ`jobId` بعد"
        " إنشائها"
    ),
    "slots are less than a minute apart; each run starts a Pod": (
        "بين المواعيد أقل من دقيقة؛ وكل تشغيل يبدأ `Pod`"
    ),
    "a clock change lies between these slots": "بين هذه المواعيد تغيير للساعة",
    # executions
    "there is no execution of that id": "لا يوجد تشغيل بهذا المعرّف",
    "this execution has ended: {status}": "انتهى هذا التشغيل: {status}",
    "this run has no Job yet; try again in a moment": "ليس لهذا التشغيل `Job` بعد؛ أعد المحاولة بعد لحظة",
    "this run has no Pod yet; try again in a moment": "ليس لهذا التشغيل `Pod` بعد؛ أعد المحاولة بعد لحظة",
    "no Pod of this attempt is known": "لا يُعرف `Pod` لهذه المحاولة",
    "logs of Pods are not read here; use kubectl logs": "سجلات `Pods` لا تُقرأ هنا؛ استخدم `kubectl logs`",
    "the Pod of this execution is gone, and its log with it": "زال `Pod` هذا التشغيل، وسجله معه",
    "of this attempt only the log of container {name} is kept": (
        "من هذه المحاولة لم يُحفظ إلا سجل الحاوية {name}"
    ),
    "the Pod has no container of that name; it has {names}": "ليس في `Pod` حاوية بهذا الاسم؛ وفيه {names}",
    "the log cannot be read: {message}": "لا يمكن قراءة السجل: {message}",
}
