"""Options of a command that take one of a few words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

Word = TypeVar("Word", bound=StrEnum)


def one_of(words: Sequence[Word]) -> Callable[[str], Word]:
    """Make what reads an option, or the variable that stands in for it; whoever errs is told the words."""

    def parse(text: str) -> Word:
        for word in words:
            if word == text:
                return word
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}")

    return parse
