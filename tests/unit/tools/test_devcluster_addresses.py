"""Do clusters get addresses that nobody else has?"""

import socket
from dataclasses import astuple

import pytest

from sundial_devcluster.addresses import (
    Addresses,
    Ports,
    box_addresses,
    free_ports,
    loopback_addresses,
)
from sundial_devcluster.errors import ClusterError


def test_ports_are_distinct_and_below_the_range_of_outgoing_connections() -> None:
    ports = free_ports(5, ())
    assert len(set(ports)) == 5
    assert all(20000 <= port < 32000 for port in ports)


def test_port_that_somebody_listens_on_is_not_given_out() -> None:
    free, *taken = free_ports(2, ())
    everything_else = set(range(20000, 32000)) - {free, *taken}
    with socket.create_server(("127.0.0.1", taken[0])):
        assert free_ports(1, everything_else) == [free]


def test_reserved_ports_are_not_given_out() -> None:
    reserved = [Ports(*range(start, start + 5)) for start in range(20000, 31900, 5)]
    others = [Addresses("127.0.0.1", ports, "10.96.0.0/16") for ports in reserved]
    assert min(astuple(loopback_addresses(others).ports)) >= 31900


def test_running_out_of_ports_is_said() -> None:
    with pytest.raises(ClusterError, match="No free ports"):
        free_ports(1, range(20000, 32000))


def test_boxes_take_different_networks() -> None:
    first = box_addresses([], [])
    second = box_addresses([first], [])
    assert (first.host, second.host) == ("10.98.0.1", "10.98.1.1")
    assert first.service_address(1) == "10.97.0.1"
    assert first.wire is not None
    assert second.wire is not None
    assert first.wire.link != second.wire.link


@pytest.mark.parametrize(
    ("routed", "host"),
    [
        pytest.param([], "10.98.0.1", id="nothing in the way"),
        pytest.param(["10.98.0.0/24"], "10.98.1.1", id="node network taken"),
        pytest.param(["10.97.0.5"], "10.98.1.1", id="one service address taken"),
        pytest.param(["10.246.0.0/23"], "10.98.2.1", id="two pod networks taken"),
        pytest.param(["10.0.0.0/8"], "198.18.0.1", id="all of 10 is a company's"),
    ],
)
def test_box_avoids_networks_that_the_host_knows(routed: list[str], host: str) -> None:
    assert box_addresses([], routed).host == host


def test_running_out_of_networks_is_said() -> None:
    with pytest.raises(ClusterError, match="taken"):
        box_addresses([], ["0.0.0.0/1", "128.0.0.0/1"])


def test_names_of_links_fit_the_kernel() -> None:
    wire = box_addresses([], []).wire
    assert wire is not None
    assert len(wire.link) <= 15
