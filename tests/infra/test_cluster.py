"""A cluster made node by node, on a real corosync ring of two links."""

from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.bed import NAMES
from tests.infra.conftest import Hosts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(fake_pve.reference() is None, reason="no schemas of the vendor's API here"),
]
PATIENCE = 600
"""Seconds that a ring may take: on a machine with other work its nodes lose sight of each other."""
QUORATE = "corosync-quorumtool -s | grep -q 'Quorate: *Yes'"


def test_nodes_join_one_by_one_and_the_ring_lives_with_one_link(hosts: Hosts) -> None:
    fake_pve.install(hosts.bed, ring=True)
    hosts.bed.run("n1", "pvesh set /cluster/options --keyboard en-us --migration type=insecure")
    tried = hosts.play("cluster.yml", check=True)
    assert tried.rc == 0, tried.output
    assert tried.changed["n3"] > 0
    assert fake_pve.state(hosts.bed)["members"] == {}

    first = hosts.play(
        "cluster.yml", cluster_migration_network="10.77.20.0/24", cluster_seconds=PATIENCE
    )
    assert first.rc == 0, first.output
    made = [one for one in fake_pve.calls(hosts.bed) if "pvecm" in one]
    assert [one.split()[:3] for one in made] == [
        ["n1:", "pvecm", "create"], ["n2:", "pvecm", "add"], ["n3:", "pvecm", "add"]
    ]  # fmt: skip
    assert "--link0 10.77.10.1,priority=20 --link1 10.77.20.1,priority=10" in made[0]
    options = fake_pve.state(hosts.bed)["objects"]["dc"]["/cluster/options"]
    assert options["migration"] == "type=secure,network=10.77.20.0/24"
    assert options["ha"] == "shutdown_policy=migrate"
    hosts.settle("cluster.yml", cluster_migration_network="10.77.20.0/24", cluster_seconds=PATIENCE)
    _a_node_that_is_away_is_waited_for(hosts)

    votes = "corosync-quorumtool -s | grep -q 'Total votes: *"
    for name in NAMES:
        hosts.bed.wait_for(name, f"{QUORATE} && {votes}3'")
    with hosts.bed.cut("n3", 0):
        # Ring 0 is how the host is reached: looked into from inside.
        assert _comes(hosts, "corosync-cfgtool -s | grep -q disconnected")
        assert _comes(hosts, QUORATE)
        with hosts.bed.cut("n3", 1):
            assert _comes(hosts, f"! {QUORATE}")
            hosts.bed.wait_for("n1", f"{QUORATE} && {votes}2'")
    for name in NAMES:
        hosts.bed.wait_for(name, f"{QUORATE} && {votes}3'")


def _a_node_that_is_away_is_waited_for(hosts: Hosts) -> None:
    """Rings lose a node for a moment while they change; who stays away is named."""
    other = hosts.play(
        "cluster.yml", tags="qdevice", cluster_name="other", cluster_seconds=PATIENCE
    )
    assert "this node is of cluster dc, the inventory says other" in other.failures["n1"]
    hosts.bed.run("n3", "systemctl stop corosync")
    away = hosts.play("cluster.yml", tags="qdevice", cluster_seconds=4)
    assert "dc is quorate; away: n3. Start who is away" in away.failures["n1"]
    hosts.bed.run("n3", "systemd-run --on-active=15 systemctl start corosync 2>&1")
    back = hosts.play("cluster.yml", tags="qdevice", cluster_seconds=PATIENCE)
    assert back.rc == 0, back.output


def test_a_third_place_counts_when_every_node_sees_it_vote(hosts: Hosts) -> None:
    members = {
        name: {"cluster": "pair", "nodeid": number, "links": [hosts.bed.address(name)]}
        for number, name in enumerate(("n1", "n2"), 1)
    }
    fake_pve.install(hosts.bed, members=members, silent=["10.77.10.99"])
    wanted: dict[str, Any] = {
        "groups": {"pair": ["n1", "n2"]},
        "limit": "n1,n2",
        "cluster_group": "pair",
        "cluster_name": "pair",
    }
    unseen = hosts.play(
        "cluster.yml", cluster_qdevice="10.77.10.99", tags="qdevice", cluster_seconds=4, **wanted
    )
    assert "The third place 10.77.10.99 does not vote: it casts no vote" in unseen.failures["n1"]
    assert "10.77.10.2 does not see it vote (NA,NV,NMW)" in unseen.failures["n1"]

    fake_pve.set_state(hosts.bed, qdevice=None, calls=[])
    first = hosts.play("cluster.yml", cluster_qdevice="10.77.10.3", **wanted)
    assert first.rc == 0, first.output
    assert fake_pve.calls(hosts.bed, "pvecm") == ["n1: pvecm qdevice setup 10.77.10.3"]
    second = hosts.play("cluster.yml", cluster_qdevice="10.77.10.3", **wanted)
    assert second.rc == 0, second.output
    assert second.tasks == ()
    forgotten = hosts.play("cluster.yml", tags="qdevice", **wanted)
    assert "A third place votes in pair and cluster_qdevice is empty" in forgotten.failures["n1"]


def _comes(hosts: Hosts, condition: str) -> bool:
    """Whether a condition comes to hold on n3, which may not be reached over its network."""
    loop = f"for i in $(seq 800); do {condition} && exit 0; sleep 0.25; done; exit 1"
    return hosts.bed.looks("n3", loop).returncode == 0
