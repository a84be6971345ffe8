"""The command that prints the runner for a namespace, for those who apply it themselves (GitOps)."""

from __future__ import annotations

import argparse
import sys

import yaml

from sundial_core.runs.runner_config_maps import build_config_map
from sundial_core.runs.runner_pods import read_archive


def add_manifest_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `runner-manifest` to the commands; `run` is what it does."""
    parser = commands.add_parser(
        "runner-manifest",
        help="print the ConfigMap with the runner, to be applied where the operator may not create it",
        description="Print the ConfigMap that Jobs of functions and Celery tasks mount, for each namespace"
        " with such a TaskFunction: sundial-operator runner-manifest -n NAMESPACE | kubectl apply -f -",
    )
    parser.add_argument("-n", "--namespace", default="", help="the namespace to name in it (none)")
    parser.set_defaults(run=print_runner_manifest)


def print_runner_manifest(options: argparse.Namespace) -> int:
    """Print the manifest for the namespace that the options name."""
    sys.stdout.write(build_runner_manifest(options.namespace))
    return 0


def build_runner_manifest(ns: str) -> str:
    """Build the manifest as YAML."""
    text: str = yaml.safe_dump(build_config_map(read_archive(), ns), sort_keys=False)
    return text
