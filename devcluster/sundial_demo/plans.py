"""What is done about what was asked for? Settled, with all that it lacks, before anything is touched."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from rich.console import Console

from sundial_demo.ground import Ground, Report, settle_kind
from sundial_demo.helm import find_helm
from sundial_demo.ways import Asked, Way, choose_way
from sundial_devcluster.builds import ensure_programs
from sundial_devcluster.choose import Kind
from sundial_devcluster.cluster import ClusterConfig, Lifetime, choose_nodes
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.product_image import BuiltImage, ensure_product_image
from sundial_devcluster.programs import program_names


@dataclass(frozen=True)
class Plan:
    """Hold on which cluster the demo runs, and how; `config` is that of a local one."""

    kind: Kind
    way: Way
    asked: Asked
    config: ClusterConfig


def settle_plan(arguments: argparse.Namespace, console: Console) -> Plan:
    """Choose cluster and way, say why, and build the programs that they lack."""
    kind = settle_kind(arguments.cluster, console)
    if arguments.keep and kind is not Kind.LOCAL:
        raise ClusterError("--keep is for the local cluster: on any other one the demo cleans up.")
    nodes, reason = (arguments.nodes, "nodes were asked for") if arguments.nodes else choose_nodes()
    obstacle = None if nodes.are_real else f"its nodes are simulated ({reason})"
    asked = Asked(arguments.way, arguments.image, arguments.values)
    way = choose_way(asked, kind, obstacle, find_helm(kind))
    if way is Way.PROCESSES:
        reason = obstacle if obstacle and kind is Kind.LOCAL else "it was asked for"
        console.print(f"DEMO=processes, operator and API beside the cluster: {reason}.", soft_wrap=True)
    lifetime = Lifetime.DETACHED if arguments.keep else Lifetime.STARTER
    has_dns = way is Way.CHART and nodes.are_real
    if kind is Kind.LOCAL:
        helm = ("helm",) if way is Way.CHART else ()
        ensure_programs((*program_names(nodes, has_dns=has_dns), *helm), console)
    return Plan(kind, way, asked, ClusterConfig(arguments.name, nodes, has_dns=has_dns, lifetime=lifetime))


def ensure_image(plan: Plan, report: Report) -> BuiltImage | None:
    """Return the image of this checkout, built if need be, where the chart needs it."""
    if plan.way is Way.PROCESSES or plan.asked.image:
        return None
    report("looking for the image of this checkout")
    return ensure_product_image(report=report)


def give_image(ground: Ground, plan: Plan, built: BuiltImage | None, report: Report) -> str:
    """Load the image where one was built, and return its name."""
    if built is None:
        return plan.asked.image
    report(f"loading the image {built.name}")
    ground.load_image(built.archive)
    return built.name
