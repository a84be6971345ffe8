"""How Arabic counts: six forms, of which those for one and two stand without a number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """A counted noun in the genitive; digits are Western."""

    one: str
    two: str
    few: str
    """3 to 10 of every hundred, and none."""
    many: str
    """11 to 99 of every hundred."""
    other: str
    """Full hundreds, those and one or two, and fractions."""

    def __call__(self, number: float) -> str:
        """Count."""
        match number:
            case 0:
                return f"0 {self.few}"
            case 1:
                return self.one
            case 2:
                return self.two
        return f"{number:.15g} {self.choose(number)}"

    def choose(self, number: float) -> str:
        """Choose the form that follows a number of three and more."""
        if number != int(number):
            return self.other
        rest = int(number) % 100
        if 3 <= rest <= 10:
            return self.few
        return self.many if rest >= 11 else self.other


WEEK = Noun("أسبوع", "أسبوعين", "أسابيع", "أسبوعًا", "أسبوع")
DAY = Noun("يوم", "يومين", "أيام", "يومًا", "يوم")
HOUR = Noun("ساعة", "ساعتين", "ساعات", "ساعة", "ساعة")
MINUTE = Noun("دقيقة", "دقيقتين", "دقائق", "دقيقة", "دقيقة")
SECOND = Noun("ثانية", "ثانيتين", "ثوانٍ", "ثانية", "ثانية")
NOUNS = {
    "second": SECOND,
    "character": Noun("حرفًا واحدًا", "حرفين", "أحرف", "حرفًا", "حرف"),
    "field": Noun("حقل واحد", "حقلين", "حقول", "حقلًا", "حقل"),
    "byte": Noun("بايت واحد", "2 بايت", "بايتات", "بايتًا", "بايت"),
    "row": Noun("صف واحد", "صفين", "صفوف", "صفًا", "صف"),
    "level": Noun("مستوى واحد", "مستويين", "مستويات", "مستوى", "مستوى"),
    "run": Noun("تشغيل واحد", "تشغيلين", "تشغيلات", "تشغيلًا", "تشغيل"),
    "slot": Noun("موعد واحد", "موعدين", "مواعيد", "موعدًا", "موعد"),
    "year": Noun("سنة", "سنتين", "سنوات", "سنة", "سنة"),
    "item": Noun("عنصرًا واحدًا", "عنصرين", "عناصر", "عنصرًا", "عنصر"),
    "hour": HOUR,
    "day": DAY,
}
"""What sentences count, by the name that a form has it under: `{count:row}`. Characters and items are only
written, so one of them is in the accusative."""
