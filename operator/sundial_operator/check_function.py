"""`sundial-operator check-function`: prints what tries a path in the user's image; runs nothing itself."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys

from sundial_core.resources.names import build_runner_name
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.runner_templates import MOUNT_PATH, VOLUME
from sundial_core.resources.specs import DOTTED_PATH, DOTTED_PATH_WANTED
from sundial_core.runs.runner_archive import build_program
from sundial_core.runs.runner_pods import read_archive

POD = "sundial-check"
NEVER_STARTED = 128
"""The exit code of a container that could not be started, such as one without the Python."""
ENDED = "{.status.containerStatuses[0].state.terminated}"
EPILOG = """example:
  sundial-operator check-function services.sessions.clean_up --image registry.example/app:1 -n team | sh

The Pod resolves the path as a run does, and calls nothing. It prints what it found, or why the path cannot be
run, and ends with 0 or 78. The namespace needs the runner's ConfigMap, which is there as soon as it has a
TaskFunction with handler.function or handler.celery; else: sundial-operator runner-manifest."""


def add_check_function_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check-function` to the commands; `run` is what it does."""
    parser = commands.add_parser(
        "check-function",
        help="print the kubectl commands that try a function's path in an image",
        description="Print the kubectl commands that try the path of a Python function in an image.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path", metavar="PATH", type=_parse_path, help="the dotted path, as in handler.function.path"
    )
    parser.add_argument("--image", required=True, help="the image that has the code")
    parser.add_argument("-n", "--namespace", help="the namespace (kubectl's own)")
    parser.add_argument("--python", default="python3", help="the Python in the image (python3)")
    parser.add_argument("--user", type=int, metavar="UID", help="the user to run as (the image's)")
    parser.set_defaults(run=print_check)


def _parse_path(text: str) -> str:
    """Read a path; raises ArgumentTypeError for what a TaskFunction would not take either."""
    if not re.fullmatch(DOTTED_PATH, text):
        raise argparse.ArgumentTypeError(f"{text!r} {DOTTED_PATH_WANTED}")
    return text


def print_check(options: argparse.Namespace) -> int:
    """Print the commands for the options, to be pasted or piped into a shell."""
    sys.stdout.write(build_script(options))
    return 0


def build_script(options: argparse.Namespace) -> str:
    """Build a script that runs the Pod, shows what it says, and ends as it did.

    `kubectl run --rm --stdin` is one command, and shows nothing of a Pod that ends before it is attached.
    """
    kubectl = shlex.join(["kubectl", *([f"--namespace={options.namespace}"] if options.namespace else [])])
    run = [
        "--restart=Never",
        f"--image={options.image}",
        f"--overrides={json.dumps(build_overrides(options))}",
    ]
    lines = [
        f'k() {{ {kubectl} "$@"; }}',
        _build_runner_check(options.namespace),
        f"pod=pod/{POD}-$$",
        "trap 'exit 130' INT TERM",
        "trap 'k delete $pod --wait=false >/dev/null' EXIT",
        f"k run {POD}-$$ {shlex.join(run)} >/dev/null || exit",
        f"k wait --for='jsonpath={ENDED}' --timeout=120s $pod >/dev/null",
        "k logs $pod",
        f"code=$(k get $pod -o 'jsonpath={ENDED[:-1]}.exitCode}}')",
        f'[ "$code" != {NEVER_STARTED} ] || k get $pod -o \'jsonpath={ENDED[:-1]}.message}}{{"\\n"}}\' >&2',
        "exit ${code:-1}",
    ]
    return "\n".join(["(", *lines, ")", ""])


def _build_runner_check(namespace: str | None) -> str:
    """Build what ends the script where the runner's ConfigMap is missing: the Pod would wait for it."""
    name = build_runner_name(read_archive().digest)
    deliver = shlex.join(["sundial-operator", "runner-manifest", *(["-n", namespace] if namespace else [])])
    said = f"the ConfigMap {name}, which has the runner, is missing; first: {deliver} | kubectl apply -f -"
    return f"k get configmap/{name} >/dev/null || {{ echo {shlex.quote(said)} >&2; exit 1; }}"


def build_overrides(options: argparse.Namespace) -> JsonObject:
    """Build what the Pod has beside its image, fit for a namespace that enforces `restricted`."""
    digest = read_archive().digest
    user = {"runAsUser": options.user, "runAsNonRoot": True} if options.user else {}
    container = {
        "name": POD,
        "image": options.image,
        "command": [options.python, "-c", build_program(digest), "check", options.path],
        "volumeMounts": [{"name": VOLUME, "mountPath": MOUNT_PATH, "readOnly": True}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, **user},
        "volumes": [{"name": VOLUME, "configMap": {"name": build_runner_name(digest)}}],
        "containers": [container],
    }
    return {"apiVersion": "v1", "spec": spec}
