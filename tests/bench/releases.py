"""How long does an installation take, and what do slots notice of what is done to a release?

On a real node, by the chart: from `helm install` to a first run that succeeded, then the longest time from
one start to the next, of a slot every two seconds, while it is upgraded and its leader deleted and killed.
What was started is read from the API server's audit log. The figures go as JSON to standard output.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

from bench.harness.clusters import describe_machine
from bench.harness.command import Report, add_output, explain_ends, print_report
from rich.console import Console
from testkit.chart_sites import TEAM, Site, build_schedule, open_site
from testkit.helm_charts import NS
from testkit.node_containers import kill_container

from sundial_devcluster.polling import until

AFTERWARDS = 5
"""So many slots are started after what is done before the gap is looked for."""
LEASE_SECONDS = 15
PERIOD_SECONDS = 2


def measure_install(site: Site) -> Report:
    """Measure from nothing to all that is ready, and to a first run that has succeeded."""
    for ns in (NS, TEAM):
        site.make_namespace(ns)
    site.make_database("sundial", NS)
    began = time.monotonic()
    site.deploy("install")
    ready = time.monotonic() - began
    site.apply(build_schedule("tick", concurrency={"policy": "Allow"}), TEAM)
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{TEAM}/scheduledjobs/tick"
    until(lambda: site.cluster.get_json(path).get("status", {}).get("lastSuccessTime"), 60)
    return {"ready_seconds": round(ready, 1), "first_success_seconds": round(time.monotonic() - began, 1)}


def measure_gap(site: Site, do: Callable[[Site], None]) -> Report:
    """Measure the longest time between two starts while something is done, and what was lost or doubled."""
    until(lambda: len(site.list_starts()) > AFTERWARDS, 60)
    since = datetime.now(UTC)
    do(site)
    took_over = datetime.now(UTC) if site.find_leader() else since
    until(lambda: sum(one.at > took_over for one in site.list_starts()) >= AFTERWARDS, 90)
    time.sleep(PERIOD_SECONDS)  # what is caught up on is not created in order
    every = [one for one in site.list_starts() if one.slot]
    before = max(one.at for one in every if one.at <= since)
    starts = [one for one in every if one.at > since]
    instants = sorted([before, *(one.at for one in starts)])
    slots = Counter(one.slot for one in starts if one.slot)
    wanted = (max(slots) - min(slots)).total_seconds() / PERIOD_SECONDS + 1
    gaps = [(after - one).total_seconds() for one, after in pairwise(instants)]
    return {
        "longest_gap_seconds": round(max(gaps), 2),
        "lost": int(wanted) - len(slots),
        "doubled": sum(count - 1 for count in slots.values()),
    }


def upgrade(site: Site) -> None:
    site.deploy(
        "upgrade", {"operator": {"podLabels": {"round": "two"}}, "api": {"podLabels": {"round": "two"}}}
    )


def delete_leader(site: Site) -> None:
    site.cluster.kubectl("delete", "pod", "-n", NS, site.find_leader())


def kill_leader(site: Site) -> None:
    leader = site.find_leader()
    kill_container(next(one for one in site.list_pods("operator") if one["metadata"]["name"] == leader))
    time.sleep(LEASE_SECONDS)  # nobody leads before the Lease has run out


def measure() -> Report:
    """Run all of it; returns the figures."""
    console = Console(stderr=True)
    with (
        console.status("a cluster, a release, an upgrade, a deletion and a kill: about three minutes"),
        open_site() as site,
    ):
        report: Report = {"machine": describe_machine(site.cluster), "install": measure_install(site)}
        for name, do in (("upgrade", upgrade), ("delete", delete_leader), ("kill", kill_leader)):
            report[name] = measure_gap(site, do)
    report["goals"] = {
        "first success < 60 s": report["install"]["first_success_seconds"] < 60,
        "longest gap at an upgrade < 3 s": report["upgrade"]["longest_gap_seconds"] < 3,
        "after a kill < Lease + 4 s": report["kill"]["longest_gap_seconds"] < LEASE_SECONDS + 4,
        "nothing lost or doubled": not any(
            report[name][what] for name in ("upgrade", "delete", "kill") for what in ("lost", "doubled")
        ),
    }
    return report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.releases", description=__doc__)
    add_output(parser)
    options = parser.parse_args()
    with explain_ends():
        report = measure()
    print_report(report, options.output)


if __name__ == "__main__":
    main()
