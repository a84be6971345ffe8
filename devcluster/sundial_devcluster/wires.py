"""How do the host and a box reach each other? One veth pair and two routes; nothing else leaves the box."""

from __future__ import annotations

import json
import subprocess

from sundial_devcluster.addresses import Addresses, Wire
from sundial_devcluster.errors import ClusterError


def routed_networks() -> list[str]:
    """Return the networks that the host has a route to, without the default route."""
    routes = json.loads(_run(("ip", "-json", "-4", "route", "show", "table", "all")) or "[]")
    return sorted({route["dst"] for route in routes if route["dst"] not in ("default", "broadcast")})


def connect_box(box_pid: int, addresses: Addresses, wire: Wire) -> None:
    """Lay the wire.

    The box gets no default route, so nothing leaves the machine; but its own processes must have a route to
    Service addresses for kube-proxy to redirect them.
    """
    inside = ("nsenter", f"--target={box_pid}", "--net")
    service = addresses.service_network
    for command in (
        ("ip", "link", "add", wire.link, "type", "veth", "peer", "name", "eth0", "netns", str(box_pid)),
        ("ip", "address", "add", f"{wire.host_address}/24", "dev", wire.link),
        ("ip", "link", "set", wire.link, "up"),
        (*inside, "ip", "address", "add", f"{wire.node_address}/24", "dev", "eth0"),
        (*inside, "ip", "link", "set", "eth0", "up"),
        (*inside, "ip", "route", "add", service, "dev", "lo", "src", wire.node_address),
        ("ip", "route", "add", wire.pod_network, "via", wire.node_address),
        ("ip", "route", "add", service, "via", wire.node_address),
    ):
        _run(command)


def remove_wire(wire: Wire) -> None:
    """Remove the host's end, which takes the routes along; it may be gone with the box already."""
    subprocess.run(("ip", "link", "delete", wire.link), capture_output=True, check=False)


def _run(command: tuple[str, ...]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
