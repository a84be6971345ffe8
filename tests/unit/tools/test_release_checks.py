"""What keeps a commit from being released, and is it said what to write instead?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sundial_release.checks import Candidate, find_obstacles, find_tag_obstacles, read_candidate
from sundial_release.errors import ReleaseError

ROOT = Path(__file__).parents[3]
GOOD = Candidate(
    version="0.2.0",
    chart_version="0.2.0",
    app_version="0.2.0",
    changelog="# Changelog\n## Unreleased\n## 0.2.0 - 2026-12-01\n### Added\n",
    changes=(),
    commit="a" * 40,
    epoch=1,
    tags=("v0.2.0",),
    elsewhere=False,
)
CHART = "charts/sundial/Chart.yaml"


def test_nothing_keeps_a_good_commit_from_being_released() -> None:
    assert [*find_obstacles(GOOD), *find_tag_obstacles(GOOD)] == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        pytest.param(
            replace(GOOD, changes=(" M README.md", "?? new")),
            "What is built would not be the commit: commit or remove README.md, new.",
            id="changed",
        ),
        pytest.param(
            replace(GOOD, changes=tuple(f"?? {name}" for name in "abcde")),
            "What is built would not be the commit: commit or remove a, b, c and 2 more.",
            id="much changed",
        ),
        pytest.param(
            replace(GOOD, elsewhere=True),
            "The tag v0.2.0 is on another commit: write the next version into pyproject.toml and"
            " charts/sundial/Chart.yaml.",
            id="released before",
        ),
        pytest.param(
            replace(GOOD, chart_version="0.1.0"),
            f"version in {CHART} is 0.1.0, version in pyproject.toml 0.2.0: write 0.2.0 in both.",
            id="chart",
        ),
        pytest.param(
            replace(GOOD, app_version="0.3.0"),
            f"appVersion in {CHART} is 0.3.0, version in pyproject.toml 0.2.0: write 0.2.0 in both.",
            id="program of the chart",
        ),
        pytest.param(
            replace(GOOD, changelog="# Changelog\n## Unreleased\n### 0.2.0\n## 0.2.01\n"),
            'CHANGELOG.md has no section "## 0.2.0": rename "## Unreleased" to "## 0.2.0 - YYYY-MM-DD",'
            " and put an empty Unreleased above it.",
            id="changelog",
        ),
    ],
)
def test_an_obstacle_is_told_with_what_to_write(bad: Candidate, said: str) -> None:
    assert find_obstacles(bad) == [said]


@pytest.mark.parametrize("version", ["0.2", "0.2.0rc1", "0.2.0.dev1", "v0.2.0", "0.2.0-rc1"])
def test_a_version_is_one_for_python_and_for_helm(version: str) -> None:
    changelog = f"## {version}\n"
    bad = replace(GOOD, version=version, chart_version=version, app_version=version, changelog=changelog)
    assert [one.split(" in ")[0] for one in find_obstacles(bad)] == [version]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        pytest.param((), "The commit has no tag: `git tag -s v0.2.0` makes it.", id="none"),
        pytest.param(("nightly",), "The commit has no tag: `git tag -s v0.2.0` makes it.", id="no version"),
        pytest.param(
            ("v0.2.0", "v0.3.0"),
            "The tag v0.3.0 is on a commit of version 0.2.0: tag it v0.2.0, or write the other version into"
            " pyproject.toml.",
            id="another",
        ),
    ],
)
def test_a_release_has_the_tag_of_its_version_and_no_other(tags: tuple[str, ...], said: str) -> None:
    assert find_tag_obstacles(replace(GOOD, tags=tags)) == [said]


def test_versions_of_this_commit_agree() -> None:
    candidate = read_candidate(ROOT)
    assert candidate.chart_version == candidate.app_version == candidate.version
    assert len(candidate.commit) == 40


def test_outside_of_a_repository_git_says_why(tmp_path: Path) -> None:
    (tmp_path / "charts" / "sundial").mkdir(parents=True)
    for name in ("pyproject.toml", "CHANGELOG.md", "charts/sundial/Chart.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    with pytest.raises(ReleaseError, match=r"^git log failed: "):
        read_candidate(tmp_path)
