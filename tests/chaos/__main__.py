"""make chaos: leaders are killed, frozen, robbed and cut off; an oracle looks whether any slot noticed."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

from chaos.disturbances import HINDRANCES
from chaos.faults import LEADER_FAULTS
from chaos.plans import Round, count_kills, make_plan
from chaos.reports import build_markdown, build_tables, find_failures
from chaos.runs import STAY_SECONDS, Form, Progress, run_chaos
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

DOCUMENT = Path(__file__).parents[2] / "docs" / "chaos.md"
SECONDS_A_ROUND = 3.5
OTHERS_A_KILL = 0.27
MOST_SHOWN = 40


def parse_arguments() -> argparse.Namespace:
    """Read the command line; CHAOS_KILLS, CHAOS_SEED, CHAOS_LEASE and CHAOS_FAULT are its defaults."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    add = parser.add_argument
    kills, seed, lease, fault = (
        os.environ.get(f"CHAOS_{name}") for name in ("KILLS", "SEED", "LEASE", "FAULT")
    )
    add("--kills", type=at_least_one, default=kills or 100, help="how many leaders are killed [%(default)s]")
    add("--seed", type=int, default=seed or None, help="the same seed gives the same faults [any]")
    add(
        "--lease", type=at_least_one, default=lease or 4, metavar="SECONDS", help="of the Lease [%(default)s]"
    )
    add("--fault", type=known_fault, default=fault or None, help="tries one alone, so many times as --kills")
    add("--operators", type=at_least_one, default=3, help="how many run at once [%(default)s]")
    add("--output", type=Path, default=DOCUMENT, help="where the report goes [%(default)s]")
    return parser.parse_args()


def at_least_one(text: str) -> int:
    """Read a whole number of an argument."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; write 1 or more")
    return number


def known_fault(text: str) -> str:
    """Read the name of a fault of an argument."""
    if text not in LEADER_FAULTS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of: {', '.join(LEADER_FAULTS)}")
    return text


def choose_plan(fault: str | None, kills: int, seed: int) -> list[Round]:
    """Repeat one fault, or mix all of them."""
    if fault is not None:
        return [Round(fault, None)] * kills
    return make_plan(seed, kills, round(kills * OTHERS_A_KILL))


def main() -> int:
    """Run the long form; exit status 1 when anything was wrong, 130 after Ctrl-C."""
    arguments, console = parse_arguments(), Console()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1_000_000)
    plan = choose_plan(arguments.fault, arguments.kills, seed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    minutes = estimate_minutes(plan, arguments.lease)
    console.print(f"seed {seed}: {len(plan)} rounds, {count_kills(plan)} kills, about {minutes:.0f} minutes")
    form = Form(arguments.lease, arguments.operators, seed, tuple(plan))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with tempfile.TemporaryDirectory() as folder, Bar(*columns, console=console) as bar:
            task = bar.add_task("chaos", total=len(plan))

            def show(number: int, round_: Round) -> None:
                bar.update(task, completed=number - 1, description=f"{round_}")
                bar.console.print(f"{number:4} {round_}", highlight=False)

            figures, setting = run_chaos(form, Path(folder), Progress(bar.console.print, show))
            failures = find_failures(figures, setting)
            if failures:
                keep_logs(Path(folder), console)
    except KeyboardInterrupt:
        console.print("Interrupted; nothing is left.")
        return 130
    for table in build_tables(figures, setting):
        console.print(table)
    for failure in failures[:MOST_SHOWN]:
        console.print(f"[red]wrong:[/red] {failure}", highlight=False)
    if figures.rounds < len(plan):
        console.print(
            f"Interrupted after round {figures.rounds} of {len(plan)}; {arguments.output} is left as it was."
        )
        return 130
    if arguments.fault is None or arguments.output != DOCUMENT:
        write_report(arguments.output, build_markdown(figures, setting), console)
    return 1 if failures else 0


def write_report(path: Path, text: str, console: Console) -> None:
    """Write the report, and say where it is."""
    path.write_text(text)
    console.print(f"Wrote {path}.")


def estimate_minutes(plan: list[Round], lease_seconds: float) -> float:
    """Estimate how long a plan takes."""
    stays = sum(STAY_SECONDS for round_ in plan if round_.disturbance in HINDRANCES)
    return (len(plan) * (lease_seconds + SECONDS_A_ROUND) + stays) / 60 + 1


def keep_logs(folder: Path, console: Console) -> None:
    """Copy the operators' logs to where they survive."""
    kept = Path(tempfile.mkdtemp(prefix="sundial-chaos-"))
    for log in folder.glob("*.log"):
        (kept / log.name).write_bytes(log.read_bytes())
    console.print(f"The operators' logs are in {kept}.")


if __name__ == "__main__":
    sys.exit(main())
