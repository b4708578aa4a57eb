"""The network of a node is changed over that network, and comes back when it was wrong."""

import pytest

from tests.infra.conftest import Hosts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def _wanted(hosts: Hosts, ring0: str) -> dict[str, dict[str, object]]:
    return {
        "n1": {
            "node_ports": ["eno1"],
            "network_vlans": "",  # not in every kernel that hosts are booted on
            "node_address": "10.77.30.1/24",
            "node_links": [
                {"name": "ring0", "address": ring0},
                {"name": "ring1", "address": f"{hosts.bed.address('n1', 1)}/24"},
            ],
        }
    }


def test_a_network_is_taken_into_use_once_and_a_wrong_one_is_taken_back(hosts: Hosts) -> None:
    hosts.silences = 3  # as the nodes' own runs: a way that is lost is noticed soon
    hosts.bed.run("n1", "ip link add eno1 type veth peer name switch1 && ip link set switch1 up")
    right = _wanted(hosts, f"{hosts.bed.address('n1')}/24")
    first = hosts.play("network.yml", limit="n1", per_host=right, network_undo_seconds=240)
    assert first.rc == 0, first.output
    hosts.settle("network.yml", limit="n1", per_host=right)
    host = hosts.on("n1")
    assert "10.77.30.1/24" in host.check_output("ip -4 address show vmbr0")
    assert "master vmbr0" in host.check_output("ip link show eno1")
    assert not host.check_output("systemctl list-timers --all --no-legend cloudpemda-network-undo*")

    kept = host.file("/etc/network/interfaces").content_string
    wrong = _wanted(hosts, "10.77.99.1/24")
    done = hosts.play("network.yml", limit="n1", per_host=wrong, network_undo_seconds=30)
    assert done.rc != 0
    assert "it puts back the network it had" in done.failures["n1"]
    hosts.bed.wait_for("n1", "! grep -q 10.77.99.1 /etc/network/interfaces")
    assert host.file("/etc/network/interfaces").content_string == kept
    assert "10.77.10.1/24" in host.check_output("ip -4 address show ring0")
