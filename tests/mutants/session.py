"""Mutates one guard in a copy of the repository, with mutmut, and reads what became of each mutant."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mutants.guards import ROOT, Equivalent, Guard

MUTMUT = str(Path(sys.executable).with_name("mutmut"))
KILLED, TIMED_OUT, UNKNOWN = "killed", "timeout", "not checked"
COUNT = re.compile(r"(\d+)/\d+ ")
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
RESULT = re.compile(r"^ +(\S+): (.+)$", re.MULTILINE)
SETTINGS = {
    "do_not_mutate_patterns": [r"\blog\."],
    "pytest_add_cli_args": ["-p", "no:cacheprovider"],
    "timeout_multiplier": 5.0,
    "timeout_constant": 4.0,
    "track_dependencies": False,
    "use_git_change_detection": False,
}
"""Tests that take five times as long, and twenty seconds more, have noticed a mutant too: it hangs."""


class MutmutError(Exception):
    """Mutmut could not do its work; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a guard's mutants: `survivors` are diffs, `unused` equivalents that nothing needs."""

    guard: Guard
    results: Counter[str]
    survivors: list[str]
    unused: list[Equivalent]

    @property
    def numbers(self) -> tuple[int, ...]:
        """How many mutants there are; of them how many were killed, hung, are equivalent, and survived."""
        mutants, killed, hung = self.results.total(), self.results[KILLED], self.results[TIMED_OUT]
        survivors = len(self.survivors)
        return mutants, killed, hung, mutants - killed - hung - survivors, survivors


@dataclass(slots=True)
class Session:
    """A copy of the repository in which one guard is mutated."""

    guard: Guard
    folder: Path
    environment: dict[str, str] = field(
        default_factory=lambda: {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    )

    def run(self, show: Callable[[int], None]) -> Found:
        """Run the tests against each mutant; `show` gets the number of those that are done."""
        self.environment.pop("PYTHONPATH", None)
        self._copy()
        said = self._mutate(show)
        results = RESULT.findall(self._ask("results", "--all", "true"))
        ours = {name: result for name, result in results if self.guard.has(name)}
        if not ours or UNKNOWN in ours.values():
            raise MutmutError(f"mutmut did not try all mutants of {self.guard.name}: {said}")
        alive = [name for name, result in ours.items() if result not in (KILLED, TIMED_OUT)]
        diffs = [self._ask("show", name) for name in alive]
        survivors, unused = set_apart(diffs, self.guard.equivalents)
        return Found(self.guard, Counter(ours.values()), survivors, unused)

    def _copy(self) -> None:
        """Copy tests and packages, these side by side: so a path names its module, which mutmut relies on."""
        text = (ROOT / "pyproject.toml").read_text()
        roots = tomllib.loads(text)["tool"]["hatch"]["build"]["dev-mode-dirs"]
        packages = [init.parent for root in roots for init in ROOT.glob(f"{root}/*/__init__.py")]
        for source in (*packages, ROOT / "tests"):
            shutil.copytree(source, self.folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        target = self.folder / self._path
        target.write_text(unwrap_properties(target.read_text()))
        settings = SETTINGS | {
            "source_paths": [package.name for package in packages],
            "only_mutate": [self._path],
            "pytest_add_cli_args_test_selection": list(self.guard.tests),
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        (self.folder / "pyproject.toml").write_text("\n".join([text, "[tool.mutmut]", *lines, ""]))

    @property
    def _path(self) -> str:
        return self.guard.module.replace(".", "/") + ".py"

    def _mutate(self, show: Callable[[int], None]) -> str:
        """Try the mutants; gives what mutmut says."""
        said = []
        with self._start("run", *self.guard.list_patterns()) as process:
            for line in process.stdout or ():
                if count := COUNT.search(line):
                    show(int(count[1]))
                elif line[0] not in SPINNER:
                    said.append(line)
        if process.returncode:
            raise MutmutError("".join(said))
        return "".join(said)

    def _ask(self, *arguments: str) -> str:
        with self._start(*arguments) as process:
            answer, _ = process.communicate()
        if process.returncode:
            raise MutmutError(answer)
        return answer

    @contextmanager
    def _start(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start mutmut in a process group of its own; none of it is left behind, whatever happens."""
        process = subprocess.Popen(
            [MUTMUT, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
            process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def unwrap_properties(source: str) -> str:
    """Write each property as a function that is then made one: mutmut leaves decorated functions alone."""
    lines = source.splitlines(keepends=True)
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda node: node.lineno, reverse=True):
        if [ast.unparse(decorator) for decorator in function.decorator_list] == ["property"]:
            made = f"{' ' * function.col_offset}{function.name} = property({function.name})\n"
            lines.insert(function.end_lineno or 0, made)
            del lines[function.decorator_list[0].lineno - 1]
    return "".join(lines)


def set_apart(diffs: list[str], equivalents: tuple[Equivalent, ...]) -> tuple[list[str], list[Equivalent]]:
    """Set the survivors apart from the listed equivalents; tell also which of these have no mutant."""
    changes = {read_change(diff) for diff in diffs}
    known = {(one.line, one.mutant): one for one in equivalents}
    survivors = [diff for diff in diffs if read_change(diff) not in known]
    return survivors, [one for change, one in known.items() if change not in changes]


def read_change(diff: str) -> tuple[str, str]:
    """Read the lines that a diff takes away, and those that it adds, without what is equal around them."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = ([line[1:].strip() for line in lines if line.startswith(sign)] for sign in "-+")
    return " ".join(before), " ".join(after)
