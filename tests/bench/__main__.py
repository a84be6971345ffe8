"""Runs all benches in turn and prints one JSON with the figures, the goals, and whether they are met.

Progress goes to standard error; exit status 1 when a goal is missed. `--quick` tries all of them with tiny
numbers, whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import api, burst, mirror, rate, scale, writes
from bench.burst_contestants import CONTESTANTS
from bench.goals import judge_all
from bench.harness.command import (
    Report,
    add_output,
    explain_ends,
    print_report,
)

PLAN = Path(__file__).with_name("plan.py")
Bench = Callable[[], Report]


def run_plan() -> Report:
    """Run the bench of planning in a process of its own: it measures from cold."""
    report: Report = json.loads(
        subprocess.run([sys.executable, str(PLAN)], check=True, capture_output=True).stdout
    )
    return report


def try_bench(bench: Bench) -> Report:
    """Run a bench; one that fails does not keep the others from being run."""
    try:
        return bench()
    except Exception as error:  # noqa: BLE001 - whatever it was, it is in the report
        traceback.print_exc()
        return {"error": repr(error)}


FULL: Mapping[str, Bench] = {
    "plan": run_plan,
    "writes": lambda: writes.run(writes.Size()),
    "rate": lambda: rate.run(rate.Size()),
    "scale": lambda: scale.run(scale.Size()),
    "api": lambda: api.run(api.Size()),
    "burst": lambda: burst.run(1000, list(CONTESTANTS)),
}
QUICK: Mapping[str, Bench] = {
    "plan": run_plan,
    "writes": lambda: writes.run(writes.Size(3, 1)),
    "rate": lambda: rate.run(rate.Size(2, 5, (3,), 5)),
    "scale": lambda: scale.run(scale.Size(100, 300, 5)),
    "api": lambda: api.run(api.Size(mirror.Size(schedules=50, seconds=3), api.ReadSize(100, 20_000, 20))),
    "burst": lambda: burst.run(20, list(CONTESTANTS), 2),
}


def main() -> None:
    """Run the benches as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(FULL), help="which benches, in order [%(default)s]")
    parser.add_argument("--quick", action="store_true", help="try them with tiny numbers")
    add_output(parser)
    arguments = parser.parse_args()
    benches = QUICK if arguments.quick else FULL
    with explain_ends():
        figures = {name: try_bench(benches[name]) for name in arguments.only.split(",")}
    goals = judge_all(figures)
    print_report({"goals": goals, **figures}, arguments.output)
    sys.exit(0 if all(goal["met"] for goal in goals) else 1)


if __name__ == "__main__":
    main()
