"""What does the demo put into a cluster, and what does it take out again? Never what was there before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sundial_demo.ground import Ground, Report
from sundial_demo.ways import Way
from sundial_devcluster.choose import Kind
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.kubectl import are_served
from sundial_devcluster.polling import until

NAMESPACE = "sundial-demo"
CRDS = Path(__file__).parents[2] / "crds"
OBJECTS = Path(__file__).with_name("installation.yaml")
BESIDE_CHART = Path(__file__).with_name("account.yaml")
ACCOUNT = "demo"
KINDS = "scheduledjobs,scheduledjobruns,taskfunctions"
IN_USE = (
    "Sundial may be in use in this cluster, which has {0} already; left by a demo?"
    " helm uninstall sundial -n sundial-system, then kubectl delete {0}"
)

NAMESPACES = "kubectl delete namespace sundial-demo sundial-system"
BY_HAND = {
    Way.CHART: f"helm uninstall sundial -n sundial-system; {NAMESPACES}",
    Way.PROCESSES: f"{NAMESPACES}; "
    "kubectl delete clusterrole,clusterrolebinding sundial-demo-operator sundial-demo-api",
}
CRD = "CustomResourceDefinition"


@contextmanager
def installed(ground: Ground, way: Way, report: Report) -> Iterator[list[str]]:
    """Install what the demo needs, and give the names of what was there; a cluster that stays is cleaned up.

    The chart brings the CRDs, unless some are there already.
    """
    objects = load_objects(way)
    present = ground.kubectl("get", "-f", "-", "--ignore-not-found", "-o", "name", text=dump(objects)).split()
    if namespaces := " ".join(name for name in present if name.startswith("namespace/")):
        raise ClusterError(IN_USE.format(namespaces))
    missing = [one for one in objects if name_of(one) not in map(_short, present)]
    by_chart = [one for one in missing if way is Way.CHART and not present and one["kind"] == CRD]
    what = "namespaces and an account" if by_chart else "custom resources, namespaces and accounts"
    report(f"creating {what}")
    try:
        ground.kubectl(
            "apply", "--server-side", "-f", "-", text=dump([one for one in missing if one not in by_chart])
        )
        if not by_chart:
            wait_served(ground)
        yield present
    finally:
        if ground.kind is Kind.CURRENT:
            report(f"removing what the demo created; if that breaks off: {BY_HAND[way]}")
            for left in remove(ground, missing, present):
                report(f"left in the cluster: {left}")


def wait_served(ground: Ground) -> None:
    """Wait until the API server serves the custom resources; raises ClusterError when it does not."""
    try:
        until(lambda: are_served(ground.kubectl, CRDS), 30)
    except TimeoutError:
        raise ClusterError("The API server does not serve Sundial's kinds 30 s after their CRDs.") from None


def load_objects(way: Way) -> list[dict[str, Any]]:
    """Return all manifests of the demo, namespaces first; raise ClusterError outside of a checkout."""
    crds = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    if not crds:
        raise ClusterError(f"There are no CRDs in {CRDS}: run the demo from a checkout of the repository.")
    own = BESIDE_CHART if way is Way.CHART else OBJECTS
    return [*yaml.safe_load_all(own.read_text()), *crds]


def dump(objects: list[dict[str, Any]]) -> str:
    """Return manifests as YAML."""
    return yaml.safe_dump_all(objects, allow_unicode=True)


def name_of(manifest: dict[str, Any]) -> str:
    """Return kind/name, in lower case."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}".lower()


def _short(name: str) -> str:
    """Return kubectl's kind.group/name without the group."""
    kind, _, rest = name.partition("/")
    return f"{kind.partition('.')[0]}/{rest}"


def remove(ground: Ground, created: list[dict[str, Any]], present: list[str]) -> list[str]:
    """Remove what the demo created, its namespaces first; return what is left, and why.

    CRDs stay while other namespaces have objects of theirs: they would go along.
    """
    crds = [one for one in created if one["kind"] == CRD]
    rest = [one for one in created if one not in crds]
    ground.kubectl("delete", "-f", "-", "--ignore-not-found", "--timeout=90s", text=dump(rest))
    left = [f"{name}, which was there before" for name in present]
    if not crds:
        return left
    if not present and not ground.kubectl("get", KINDS, "-A", "-o", "name").strip():
        ground.kubectl("delete", "-f", "-", "--ignore-not-found", "--timeout=90s", text=dump(crds))
        return left
    return [*left, *(f"{name_of(crd)}, because others use Sundial's kinds" for crd in crds)]


def write_kubeconfig(ground: Ground, account: str, name: str) -> Path:
    """Write a kubeconfig of a ServiceAccount's own identity, readable by its owner only."""
    view = ground.kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json")
    login = ("create", "token", account, "--namespace=sundial-system", "--duration=24h")
    path = ground.folder / f"{name}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(build_kubeconfig(json.loads(view), ground.kubectl(*login).strip())))
    return path


def build_kubeconfig(view: dict[str, Any], token: str) -> dict[str, Any]:
    """Return a kubeconfig of one context with its user replaced by a token."""
    context = {"cluster": view["clusters"][0]["name"], "user": "sundial"}
    return {
        **view,
        "users": [{"name": "sundial", "user": {"token": token}}],
        "contexts": [{"name": "sundial", "context": context}],
        "current-context": "sundial",
    }
