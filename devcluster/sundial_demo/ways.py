"""How do operator and API run? In the cluster, by the chart, as users install it; or as processes beside it.

The choice is made, and what it lacks is said, before anything is touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sundial_devcluster.choose import Kind
from sundial_devcluster.errors import ClusterError

BUILD = "docker build -t REGISTRY/sundial:demo . && docker push REGISTRY/sundial:demo"
NO_IMAGE = (
    "CLUSTER=current pulls Sundial's image, and the demo does not know from where. Write it: "
    f"make demo CLUSTER=current IMAGE=REGISTRY/sundial:demo, once `{BUILD}` has put it there; "
    "or DEMO=processes, which needs none."
)
NO_HELM = (
    "helm is not found, and CLUSTER={kind} installs the chart by yours: install Helm (4.3 is tried), "
    "or write DEMO=processes."
)
LOCAL_IMAGE = "IMAGE= is for a cluster that can pull it: the local one is given the image of this checkout."
SIMULATED = "DEMO=chart needs a node on which containers run: {obstacle}. DEMO=processes does without."


class Way(StrEnum):
    """How operator and API run."""

    CHART = "chart"
    PROCESSES = "processes"


@dataclass(frozen=True)
class Asked:
    """Hold what the user asked for: no way is the chart where it can be, no image that of this checkout."""

    way: Way | None = None
    image: str = ""
    values: Path | None = None
    """More values for the chart."""


def choose_way(asked: Asked, kind: Kind, node_obstacle: str | None, helm: Path | None) -> Way:
    """Choose a way for a kind of cluster; raises ClusterError when what it needs is missing.

    `node_obstacle` says why nodes of the local cluster are simulated, `helm` is where the user's own is.
    """
    if asked.way is Way.PROCESSES:
        return Way.PROCESSES
    if asked.values is not None and not asked.values.is_file():
        raise ClusterError(f"There is no file {asked.values} with values for the chart.")
    if kind is Kind.LOCAL:
        if asked.image:
            raise ClusterError(LOCAL_IMAGE)
        if node_obstacle and asked.way is Way.CHART:
            raise ClusterError(SIMULATED.format(obstacle=node_obstacle))
        return Way.PROCESSES if node_obstacle else Way.CHART
    if helm is None:
        raise ClusterError(NO_HELM.format(kind=kind))
    if kind is Kind.CURRENT and not asked.image:
        raise ClusterError(NO_IMAGE)
    return Way.CHART


def split_image(image: str) -> dict[str, str]:
    """Split the name of an image into the chart's values; raises ClusterError when it is none."""
    rest, _, digest = image.partition("@")
    path, _, tag = rest.rpartition(":") if ":" in rest.rpartition("/")[2] else (rest, "", "")
    if not path or any(letter.isspace() or letter in ",={}" for letter in image):
        raise ClusterError(f"IMAGE={image} is not the name of an image: write REGISTRY/sundial:TAG.")
    parts = {"image.repository": path, "image.tag": tag, "image.digest": digest}
    return {key: value for key, value in parts.items() if value}
