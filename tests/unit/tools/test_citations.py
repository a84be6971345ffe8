"""Do citations of the rule book, and the links of Markdown files, lead somewhere?

A citation names a page of docs/ and one heading of it or several, each in quotes; it may wrap over lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from sundial_core.resources.specs import ConcurrencyPolicy

ROOT = Path(__file__).parents[3]
RULE_BOOK = ("semantics", "architecture", "api-contract", "custom-resources")
CITATION = re.compile(r'docs/([\w/-]+\.md), ("[^"]+"(?:(?:,|,? and) "[^"]+")*)')
PAGE = re.compile(r"(?<![\w/-])docs/[\w/-]+\.md")
WITHOUT_PAGE = re.compile(rf"(?<!docs/)\b(?:{'|'.join(RULE_BOOK)})(?:\.md|'s)?, \"[^\"]*\"", re.IGNORECASE)
LINE_BREAK = re.compile(r"\s*\n[ \t]*(?:(?:#|>)[ \t]*)*")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`|^ {4,}\S[^\n]*", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: *(\S+)", re.MULTILINE)


def list_files(*endings: str) -> list[Path]:
    """List the files of the repository, this one excepted: its examples lead nowhere."""
    tops = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    found = [file for top in tops for file in (top.rglob("*") if top.is_dir() else [top])]
    ours = [file for file in found if "node_modules" not in file.parts and file != Path(__file__)]
    return sorted(file for file in ours if file.suffix in endings)


@cache
def list_headings(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [found.replace("`", "") for found in re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE)]


def list_anchors(page: Path) -> set[str]:
    """List the anchors that a page's headings get, as GitHub makes them."""
    slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in list_headings(page)]
    seen: Counter[str] = Counter()
    anchors = set()
    for slug in slugs:
        anchors.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return anchors


def find_wrong_citations(text: str) -> Iterator[str]:
    """Find citations of pages or headings that are not there, and those that do not name their page."""
    text = LINE_BREAK.sub(" ", text)
    yield from (page for page in PAGE.findall(text) if not (ROOT / page).exists())
    yield from WITHOUT_PAGE.findall(text)
    for page, cited in CITATION.findall(text):
        if (ROOT / "docs" / page).exists():
            known = list_headings(ROOT / "docs" / page)
            headings = re.findall(r'"([^"]+)"', cited)
            yield from (f"{page}, {heading}" for heading in headings if heading not in known)


def find_broken_links(page: Path, text: str) -> Iterator[str]:
    """Find the relative links of a Markdown text, as it would stand in `page`, that lead nowhere."""
    for found in LINK.finditer(CODE.sub("", text)):
        link = found[1] or found[2]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_inside = target.is_relative_to(ROOT) and target.exists()
        if not is_inside or (anchor and anchor not in list_anchors(target)):
            yield link


def test_every_citation_leads_to_a_heading() -> None:
    wrong = {
        str(file.relative_to(ROOT)): found
        for file in list_files(".py", ".md")
        if (found := list(find_wrong_citations(file.read_text())))
    }
    assert not wrong


def test_every_link_leads_somewhere_inside_the_repository() -> None:
    broken = {
        str(page.relative_to(ROOT)): found
        for page in list_files(".md")
        if (found := list(find_broken_links(page, page.read_text())))
    }
    assert not broken


@pytest.mark.parametrize("page", RULE_BOOK)
def test_a_heading_of_the_rule_book_is_there_once(page: str) -> None:
    headings = Counter(list_headings(ROOT / "docs" / f"{page}.md"))
    assert headings
    assert max(headings.values()) == 1


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        pytest.param('(docs/semantics.md, "Concurrency").', [], id="a heading"),
        pytest.param('docs/semantics.md, "Forbid", "Queue" and "Replace"', [], id="several"),
        pytest.param('docs/semantics.md,\n    "Which slots\n    count"', [], id="over lines of a docstring"),
        pytest.param('# docs/semantics.md, "Which\n    # slots count"', [], id="over lines of comments"),
        pytest.param('docs/semantics.md, "Hope"', ["semantics.md, Hope"], id="no such heading"),
        pytest.param('docs/semantics.md, "Queue" and "Ho\npe"', ["semantics.md, Ho pe"], id="the second"),
        pytest.param('docs/hope.md, "Queue"', ["docs/hope.md"], id="no such page"),
        pytest.param('Semantics, "Queue"', ['Semantics, "Queue"'], id="the page is not named"),
        pytest.param('semantics.md, "Queue"', ['semantics.md, "Queue"'], id="not where it is"),
    ],
)
def test_wrong_citations_are_found(text: str, wrong: list[str]) -> None:
    assert list(find_wrong_citations(text)) == wrong


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        pytest.param("[a](../CONTRIBUTING.md), [b](decisions) and [c](https://x.y/z)", [], id="they lead"),
        pytest.param("[a](#concurrency) [b\nc](architecture.md#the-fence)", [], id="to headings"),
        pytest.param("`[a](b)`\n\n    [c](d)\n\n```\n[e](f)\n```\n", [], id="code"),
        pytest.param("    code\n\n[a](hope.md)", ["hope.md"], id="no such file"),
        pytest.param("[a](#hope)", ["#hope"], id="no such heading"),
        pytest.param("[a](architecture.md#hope)", ["architecture.md#hope"], id="nor on another page"),
        pytest.param("[a](../../elsewhere.md)", ["../../elsewhere.md"], id="outside the repository"),
        pytest.param("[a]: hope.md", ["hope.md"], id="by reference"),
    ],
)
def test_broken_links_are_found(text: str, broken: list[str]) -> None:
    assert list(find_broken_links(ROOT / "docs" / "semantics.md", text)) == broken


def test_the_rules_of_every_concurrency_policy_are_written() -> None:
    assert set(ConcurrencyPolicy) <= set(list_headings(ROOT / "docs" / "semantics.md"))
