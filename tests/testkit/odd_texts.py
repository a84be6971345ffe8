"""Text that parsers of YAML like to take for something else, and JSON of any shape that Kubernetes stores."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ODD_TEXTS = [
    *("no", "No", "NO", "y", "Y", "n", "yes", "on", "off", "true", "True", "null", "Null", "~", "", " "),
    *(
        "1e3",
        "1E3",
        "1e-3",
        "1.",
        ".5",
        "+1",
        "-1",
        "0o7",
        "017",
        "0x1F",
        "0b1",
        "1_000",
        "12:30",
        "12:30:45",
    ),
    *(".inf", "-.Inf", ".NaN", "nan", "infinity", "2026-01-01", "2026-01-01T00:00:00Z", "0 9 * * *", "*/5"),
    *("a: b", "a:", "- a", "-", "-c", "--", "? a", "a #b", "#", "{", "[a]", "&a", "*a", "!a", "|", ">", "%a"),
    *("@a", "`a", "'", '"', "\\", '"a', "it's", "<<", "=", "...", "---", "key: {a}", "a,b", "a\\nb"),
    *(
        "line\nline",
        "line\n",
        "line\n\n",
        "\n",
        "\n\na",
        " a\nb",
        "a \nb",
        "a\n  b\n c",
        "a\tb",
        "\ta",
        "a\r\nb",
    ),
    *(
        "a\n---\nb",
        "# a\nb: c\n",
        "مهمة\nالليل",  # noqa: RUF001 - Arabic
        "😀",
        "é",
        "a\u0085b",
        "a\u2028b\nc",
        "\ufeffa",
        "a\u200bb",
        "x" * 300,
    ),
]

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(ODD_TEXTS)
_numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


def json_values() -> st.SearchStrategy[Any]:
    """Give JSON values of any shape, with odd text as keys too."""
    leaves = st.none() | st.booleans() | _numbers | _texts
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
        max_leaves=12,
    )
