"""Which addresses, ports and names does a new cluster take, so that clusters never meet?

Chooses among what is free; the caller holds the lock of the clusters' folder and records the choice.
"""

from __future__ import annotations

import ipaddress
import itertools
import random
import secrets
import socket
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass

from sundial_devcluster.errors import ClusterError

LOOPBACK = "127.0.0.1"
PORT_RANGE = range(20000, 32000)  # below the kernel's range for outgoing connections
NETWORKS_PER_FAMILY = 100


@dataclass(frozen=True)
class Family:
    """Hold where the networks of boxes are taken from; each is the first half of an address."""

    nodes: str
    pods: str
    services: str


# The second is reserved for benchmarks (RFC 2544): for machines where all of 10.0.0.0/8 is routed already.
FAMILIES = (Family("10.98", "10.246", "10.97"), Family("198.18", "198.19", "100.127"))


@dataclass(frozen=True)
class Ports:
    """Hold the port of each server of the control plane."""

    etcd: int
    etcd_peer: int
    apiserver: int
    controller_manager: int
    scheduler: int


@dataclass(frozen=True)
class Wire:
    """Hold what ties a box to its host: the veth pair, the networks behind it, the cgroup."""

    link: str
    host_address: str
    node_address: str
    pod_network: str
    cgroup: str


@dataclass(frozen=True)
class Addresses:
    """Hold where a cluster listens; `wire` is there only when it runs in a box."""

    host: str
    ports: Ports
    service_network: str
    wire: Wire | None = None

    @property
    def server(self) -> str:
        """Return the URL of the API server."""
        return f"https://{self.host}:{self.ports.apiserver}"

    def service_address(self, offset: int) -> str:
        """Return an address of the service network: 1 is the API server's, 10 that of DNS."""
        return str(ipaddress.ip_network(self.service_network)[offset])


BOX_PORTS = Ports(etcd=2379, etcd_peer=2380, apiserver=6443, controller_manager=10257, scheduler=10259)


def loopback_addresses(others: Iterable[Addresses]) -> Addresses:
    """Choose free ports on loopback for a cluster of plain processes."""
    taken = {port for other in others if other.wire is None for port in astuple(other.ports)}
    return Addresses(LOOPBACK, Ports(*free_ports(5, taken)), "10.96.0.0/16")


def box_addresses(others: Iterable[Addresses], routed: Collection[str]) -> Addresses:
    """Choose free networks for a cluster in a box; `routed` are the networks that the host already knows."""
    taken = {other.wire.node_address for other in others if other.wire}
    for family, number in itertools.product(FAMILIES, range(NETWORKS_PER_FAMILY)):
        found = _box(family, number)
        if found.wire and found.wire.node_address not in taken and not _meets(found, routed):
            return found
    raise ClusterError("All networks for clusters with a real node are taken: end some of them with `down`.")


def _box(family: Family, number: int) -> Addresses:
    mark = secrets.token_hex(4)
    wire = Wire(
        link=f"sd{mark}",
        host_address=f"{family.nodes}.{number}.254",
        node_address=f"{family.nodes}.{number}.1",
        pod_network=f"{family.pods}.{number}.0/24",
        cgroup=f"sundial-{mark}",
    )
    return Addresses(wire.node_address, BOX_PORTS, f"{family.services}.{number}.0/24", wire)


def _meets(addresses: Addresses, routed: Collection[str]) -> bool:
    wire = addresses.wire
    own = [addresses.service_network, *([wire.pod_network, f"{wire.node_address}/24"] if wire else [])]
    networks = [ipaddress.ip_network(text, strict=False) for text in own]
    known = [ipaddress.ip_network(text, strict=False) for text in routed]
    return any(one.overlaps(other) for one in networks for other in known)


def free_ports(count: int, taken: Collection[int]) -> list[int]:
    """Return ports on loopback that nobody listens on and no other cluster has reserved."""
    found: list[int] = []
    for port in random.sample(PORT_RANGE, len(PORT_RANGE)):
        if port not in taken and _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise ClusterError("No free ports are left on 127.0.0.1.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
