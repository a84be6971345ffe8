"""What is wrong with arguments by their schema, and with a schema, in Arabic; the keys are in English."""

from __future__ import annotations

from collections.abc import Mapping

ARGUMENTS: Mapping[str, str] = {
    "is required": "حقل مطلوب",
    "has fields, and none are known here": "فيه حقول، ولا يُعرف هنا أي حقل",
    "is not known here": "غير معروف هنا",
    "is not allowed here": "غير مسموح هنا",
    "is not of type {types}": "ليس من النوع {types}",
    "is not one of {options}": "ليس من القيم {options}",
    "is not one of {options} and {count} more": "ليس من القيم {options} ولا من القيم الأخرى وعددها {count}",
    "is not {value}": "ليس {value}",
    "is less than the minimum of {limit}": "أصغر من الحد الأدنى {limit}",
    "is greater than the maximum of {limit}": "أكبر من الحد الأقصى {limit}",
    "is not greater than {limit}": "ليس أكبر من {limit}",
    "is not less than {limit}": "ليس أصغر من {limit}",
    "is not a multiple of {factor}": "ليس من مضاعفات {factor}",
    "has fewer characters than {limit}": "عدد حروفه أقل من {limit}",
    "has more characters than {limit}": "عدد حروفه أكثر من {limit}",
    "does not match {pattern}": "لا يوافق النمط {pattern}",
    "is not of the format {format}": "ليس على الصيغة {format}",
    "has fewer items than {limit}": "عدد عناصره أقل من {limit}",
    "has more items than {limit}": "عدد عناصره أكثر من {limit}",
    "has more items than are known": "فيه عناصر زائدة غير معروفة",
    "has an item twice": "فيه عنصر مكرر",
    "has too few or too many items of the kind that must be among them": (
        "عدد العناصر المطلوب وجودها فيه أقل أو أكثر مما يجب"
    ),
    "has fewer fields than {limit}": "عدد حقوله أقل من {limit}",
    "has more fields than {limit}": "عدد حقوله أكثر من {limit}",
    "has a field whose name is not allowed": "فيه حقل اسمه غير مسموح",
    "is of a form that is not allowed": "على شكل غير مسموح",
    "is of none of the forms that are allowed": "ليس على أي شكل من الأشكال المسموحة",
    "is of several forms of which it may have one": "يوافق عدة أشكال ولا يجوز إلا واحد منها",
    "does not fit the schema": "لا يوافق المخطط",
    "does not fit the schema, and is too much for telling where": (
        "لا يوافق المخطط، وهو أكبر من أن يُحدَّد موضع الخلل فيه"
    ),
    "cannot be checked by the schema": "لا يمكن فحصه بهذا المخطط",
    "is too much to be checked by so large a schema; pass large data by reference": (
        "أكبر من أن يُفحص بمخطط بهذا الحجم؛ أشر إلى البيانات الكبيرة بمكانها"
    ),
    # the schema
    "cannot be used, {place}: {why}": "لا يمكن استعمالها، {place}: {why}",
    "is not JSON": "ليس `JSON`",
    "may have at most {limit} bytes": "يجوز أن يكون فيه {limit:byte} على الأكثر",
    "cannot be used as a schema": "لا يصلح مخططًا",
    "is no draft that is known; leave it out, or write {draft}": "إصدار غير معروف؛ احذفه أو اكتب {draft}",
    "is no type; write one of {types}": "ليس نوعًا؛ اكتب واحدًا من {types}",
    "is no pattern that can be used: of RE2's syntax, without look-around, and not too large": (
        "ليس نمطًا يمكن استعماله: اكتبه بقواعد `RE2`، دون `look-around`، وغير كبير"
    ),
    "refers to itself; write out the levels that there may be": "يشير إلى نفسه؛ اكتب المستويات الممكنة صراحةً",
    "cannot be used; write $ref with a place such as #/$defs/name": (
        "لا يمكن استعماله؛ اكتب `$ref` مع مكان مثل `#/$defs/name`"
    ),
    "cannot be used inside a schema; leave it out": "لا يمكن استعماله داخل مخطط؛ احذفه",
    "leads out of the schema; write a place in it, such as #/$defs/name": (
        "يشير إلى خارج المخطط؛ اكتب مكانًا فيه، مثل `#/$defs/name`"
    ),
    "leads to nothing in the schema": "لا يشير إلى شيء في المخطط",
    "asks for too much with all references and repetitions written out; at most {limit} values are"
    " possible": "كبير بعد كتابة كل الإشارات والتكرارات صراحةً؛ يجوز {limit} على الأكثر",
    "is more than {limit} levels deep with all references written out": (
        "متداخل أعمق من {limit:level} بعد كتابة كل الإشارات صراحةً"
    ),
}
