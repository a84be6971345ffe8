"""make mutants: breaks each guard in every small way, and tells which ways no test notices."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from mutants.guards import LIST, Guard, read_guards
from mutants.session import Found, MutmutError, Session
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def main() -> int:
    """Try the guards of the list; exit status 1 with survivors, 2 when mutmut failed, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("guards", nargs="*", help=f"names in {LIST.name}, or parts of them [all]")
    wanted = parser.parse_args().guards
    known = read_guards()
    guards = [one for one in known if not wanted or any(part in one.name for part in wanted)]
    if not guards:
        parser.error(f"no guard has such a name; there are: {', '.join(one.name for one in known)}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    console = Console()
    try:
        found = try_guards(guards, console)
    except KeyboardInterrupt:
        console.print("Interrupted; nothing is left.")
        return 130
    except MutmutError as error:
        console.print(str(error), markup=False)
        return 2
    console.print(build_table(found))
    return 1 if any(one.survivors or one.unused for one in found) else 0


def try_guards(guards: list[Guard], console: Console) -> list[Found]:
    """Mutate one guard after the other, with a bar, and print what survives as soon as it is known."""
    found = []
    with Progress(*COLUMNS, console=console) as bar:
        task = bar.add_task("", total=len(guards))
        for guard in guards:
            with tempfile.TemporaryDirectory(prefix="sundial-mutants-") as folder:

                def show(count: int, name: str = guard.name) -> None:
                    bar.update(task, description=f"{name}: {count} mutants")

                show(0)
                found.append(Session(guard, Path(folder)).run(show))
            tell(found[-1], bar.console)
            bar.advance(task)
    return found


def tell(found: Found, console: Console) -> None:
    """Print the survivors of a guard, and what its list of equivalents has in vain."""
    for diff in found.survivors:
        console.print(diff, markup=False, highlight=False, soft_wrap=True)
    for one in found.unused:
        console.print(f"{found.guard.name}: no mutant is as listed: {one}", markup=False, soft_wrap=True)


def build_table(found: list[Found]) -> Table:
    """Build the table of guards."""
    table = Table("guard", "file", "mutants", "killed", "hung", "equivalent", "survivors")
    for one in found:
        table.add_row(one.guard.name, Path(one.guard.file).name, *map(str, one.numbers))
    return table


if __name__ == "__main__":
    sys.exit(main())
