"""How do commands show their settings, which are environment variables, and what is wrong with them?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

WANTED = {
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
}
"""What is said of a value of another type, by pydantic's name for that."""


def describe_settings(*kinds: type[BaseSettings], only: Sequence[str] | None = None) -> str:
    """List a command's environment variables with their defaults, as the end of its `--help`."""
    return "\n".join(
        ["environment variables:", *(line for kind in kinds for line in _list_lines(kind, only))]
    )


def _list_lines(settings: type[BaseSettings], only: Sequence[str] | None) -> Iterator[str]:
    prefix = settings.model_config["env_prefix"]
    for name, field in settings.model_fields.items():
        if only is None or name in only:
            default = "" if field.is_required() else f" [{field.default}]"
            variable = f"{prefix}{name.upper()}"
            yield f"  {variable:37} {field.description}{default}"


def explain_unusable(settings: type[BaseSettings], error: ValidationError) -> str:
    """Say in one line which environment variables are unusable, and what to write; no value is repeated."""
    prefix = settings.model_config["env_prefix"]
    said = [(problem["loc"], _explain(settings, problem)) for problem in error.errors()]
    return "; ".join(f"{prefix}{str(loc[0]).upper()}: {words}" if loc else words for loc, words in said)


def _explain(settings: type[BaseSettings], problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        description = settings.model_fields[str(problem["loc"][0])].description or ""
        return f"is needed: {description[:1].lower()}{description[1:]}"
    return WANTED.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
