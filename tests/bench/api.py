"""Runs what the API promises: the mirror's first sync and lag, then lists of millions of executions.

Progress goes to standard error, the figures go as JSON to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from dataclasses import dataclass, field

from bench import api_reads, mirror, reach
from bench.api_reads import ReadSize
from bench.harness.clusters import open_cluster
from bench.harness.command import (
    Report,
    add_output,
    explain_ends,
    open_show,
    print_report,
)
from bench.listeners import measure_listeners
from bench.reach import ReachSize

from sundial_devcluster.cluster import ClusterConfig, Nodes


@dataclass(frozen=True)
class Size:
    """How large the benches of the mirror and of the lists are."""

    mirror: mirror.Size = field(default_factory=mirror.Size)
    reads: ReadSize = field(default_factory=ReadSize)


def run(size: Size) -> Report:
    """Measure mirror, lists, and lists over some of many namespaces, one after the other."""
    reach_size = ReachSize(executions=min(size.reads.executions, ReachSize.executions))
    return {
        **mirror.run(size.mirror),
        "reads": run_reads(size.reads),
        "reach": reach.run(reach_size),
    }


def run_reads(size: ReadSize) -> Report:
    """Measure the lists on a database of their own."""
    config = ClusterConfig(f"reads-{os.getpid()}", Nodes.NONE)
    with open_show() as show, mirror.open_postgres() as postgres:
        show.say(f"generating {size.executions:,} executions in {size.namespaces:,} namespaces")
        api_reads.fill(postgres.url(), size)
        with open_cluster(config, show.say) as cluster:
            login = api_reads.log_in(cluster)
            lists = asyncio.run(api_reads.measure_reads(postgres.url(), size, login, show))
        return lists | {"events": asyncio.run(measure_listeners(postgres.url(), size, show))}


def main() -> None:
    """Run the bench as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--executions", type=int, default=ReadSize.executions, help="in the lists [%(default)s]")
    add("--jobs", type=int, default=ReadSize.jobs, help="in the lists [%(default)s]")
    add("--namespaces", type=int, default=ReadSize.namespaces, help="in the lists [%(default)s]")
    add("--rounds", type=int, default=ReadSize.rounds, help="how often each list is asked [%(default)s]")
    add("--schedules", type=int, default=mirror.Size.schedules, help="to mirror [%(default)s]")
    add("--seconds", type=int, default=mirror.Size.seconds, help="of changes to mirror [%(default)s]")
    add("--reads-only", action="store_true", help="measure the lists alone")
    add_output(parser)
    arguments = parser.parse_args()
    reads = ReadSize(arguments.jobs, arguments.executions, arguments.rounds, arguments.namespaces)
    size = Size(mirror.Size(schedules=arguments.schedules, seconds=arguments.seconds), reads)
    with explain_ends():
        report = {"reads": run_reads(reads)} if arguments.reads_only else run(size)
    print_report(report, arguments.output)


if __name__ == "__main__":
    main()
