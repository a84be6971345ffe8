"""May this commit be released? Version, chart, changelog, tag and tree have to agree."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from sundial_release.errors import ReleaseError


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a commit says of itself; `changes` are lines of `git status`, `epoch` is its time in seconds."""

    version: str
    chart_version: str
    app_version: str
    changelog: str
    changes: tuple[str, ...]
    commit: str
    epoch: int
    tags: tuple[str, ...]
    elsewhere: bool
    """Whether the tag of this version is on another commit."""

    @property
    def tag(self) -> str:
        """The tag that a release of this version has."""
        return f"v{self.version}"


def read_candidate(root: Path) -> Candidate:
    """Read what is checked out; raises ReleaseError outside of a repository."""
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((root / "charts" / "sundial" / "Chart.yaml").read_text())
    commit, epoch = _git(root, "log", "-1", "--format=%H %ct").split()
    tags = tuple(_git(root, "tag", "--points-at", "HEAD").split())
    return Candidate(
        version=version,
        chart_version=str(chart["version"]),
        app_version=str(chart["appVersion"]),
        changelog=(root / "CHANGELOG.md").read_text(),
        changes=tuple(_git(root, "status", "--porcelain").splitlines()),
        commit=commit,
        epoch=int(epoch),
        tags=tags,
        elsewhere=f"v{version}" in set(_git(root, "tag").split()) - set(tags),
    )


def find_obstacles(candidate: Candidate) -> list[str]:
    """Tell in a sentence each what keeps a commit from being released, and what to write instead."""
    return [*_find_in_tree(candidate), *_find_in_versions(candidate), *_find_in_changelog(candidate)]


def find_tag_obstacles(candidate: Candidate) -> list[str]:
    """Tell what is wrong with the tags of the commit: a release needs its own, a rehearsal none."""
    versions = [tag for tag in candidate.tags if re.match(r"v\d", tag)]
    others = [tag for tag in versions if tag != candidate.tag]
    if others:
        return [
            f"The tag {others[0]} is on a commit of version {candidate.version}: tag it {candidate.tag},"
            " or write the other version into pyproject.toml."
        ]
    if candidate.tag not in versions:
        return [f"The commit has no tag: `git tag -s {candidate.tag}` makes it."]
    return []


def _find_in_tree(candidate: Candidate) -> Iterator[str]:
    if candidate.changes:
        names = ", ".join(change[3:] for change in candidate.changes[:3])
        more = f" and {len(candidate.changes) - 3} more" if len(candidate.changes) > 3 else ""
        yield f"What is built would not be the commit: commit or remove {names}{more}."
    if candidate.elsewhere:
        yield (
            f"The tag {candidate.tag} is on another commit: write the next version into pyproject.toml and"
            " charts/sundial/Chart.yaml."
        )


def _find_in_versions(candidate: Candidate) -> Iterator[str]:
    if not re.fullmatch(r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?", candidate.version):
        yield (
            f"{candidate.version} in pyproject.toml is no version for a chart: write three numbers, as 0.2.0,"
            " or 0.2.0-rc.1."
        )
    for key, value in (("version", candidate.chart_version), ("appVersion", candidate.app_version)):
        if value != candidate.version:
            yield (
                f"{key} in charts/sundial/Chart.yaml is {value}, version in pyproject.toml"
                f" {candidate.version}: write {candidate.version} in both."
            )


def _find_in_changelog(candidate: Candidate) -> Iterator[str]:
    heading = f"## {candidate.version}"
    titles = re.findall(r"^## (.*)$", candidate.changelog, re.MULTILINE)
    if not any(title.split()[:1] == [candidate.version] for title in titles):
        yield (
            f'CHANGELOG.md has no section "{heading}": rename "## Unreleased" to "{heading} -'
            ' YYYY-MM-DD", and put an empty Unreleased above it.'
        )


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReleaseError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
