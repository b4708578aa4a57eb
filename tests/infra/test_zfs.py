"""Pools on a kernel of their own, whose ZFS is real; only PVE's own commands are the fake."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.bed import RELEASE
from tests.infra.conftest import Hosts, Run
from tests.infra.guest import Guest, disk, lacking

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(lacking() is not None, reason=str(lacking())),
    pytest.mark.skipif(fake_pve.reference() is None, reason="no schemas of the vendor's API here"),
]


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    place = tmp_path_factory.mktemp("guest")
    bed = Guest(place, RELEASE)
    try:
        bed.start()
        fake_pve.install(bed)
        yield Hosts(bed, place)
    finally:
        bed.stop()


def storage(guest: Hosts, disks: list[str], *, check: bool = False, **more: Any) -> Run:
    settings = {
        "node_pool_disks": disks, "storage_nodes": ["z1"], "storage_arc_gib": 1,
        "storage_boot_image": False,  # which takes longer than all the rest
        "preflight_clock_seconds": 3600,  # an emulated clock falls behind on a busy machine
    }  # fmt: skip
    return guest.play("storage.yml", skip="", check=check, **{**settings, **more})


def layout(guest: Hosts, pool: str) -> list[str]:
    said = guest.bed.run("z1", f"zpool list -v -H -P -o name {pool}")
    return [line.split()[0] for line in said.splitlines()]


def test_a_pool_is_made_of_empty_disks_and_of_no_others(guest: Hosts) -> None:
    bed = guest.bed
    bed.run("z1", f"parted -s {disk(2)} mklabel gpt && mkfs.ext4 -q {disk(3)}")
    bed.run("z1", f"zpool create tank {disk(4)} && zpool export tank && udevadm settle")
    none = "/dev/disk/by-id/none"
    refused = storage(guest, [disk(0), disk(2), disk(3), disk(4), none])
    assert refused.rc != 0
    faults = refused.failures["z1"].splitlines()
    assert [one.partition(":")[0].partition(" (")[0] for one in faults] == [
        f"{disk(2)} holds gpt", f"{disk(3)} holds ext4",
        f"{disk(4)} holds gpt, the pool tank, zfs_member",
        f"{none} is no disk of this node",
    ]  # fmt: skip
    assert "zpool import tank takes it into use again" in faults[2]
    assert refused.tasks == ()
    assert "tank" not in bed.run("z1", "zpool list -H")

    tried = storage(guest, [disk(0), disk(1)], check=True)
    assert tried.rc == 0, tried.output
    assert "tank" not in bed.run("z1", "zpool list -H")
    first = storage(guest, [disk(0), disk(1)])
    assert first.rc == 0, first.output
    assert layout(guest, "tank") == ["tank", "mirror-0", f"{disk(0)}-part1", f"{disk(1)}-part1"]
    assert bed.run("z1", "zfs get -Ho value org.debian:periodic-scrub tank") == "disable\n"
    assert bed.run("z1", "zpool get -Ho value ashift tank") == "12\n"
    assert bed.run("z1", "zfs get -Ho value compression tank") == "on\n"
    second = storage(guest, [disk(0), disk(1)])
    assert second.rc == 0, second.output
    assert second.tasks == ()
    other = storage(guest, [disk(0), disk(5)])
    assert f"{disk(5)} is not in the pool tank that this node has" in other.failures["z1"]
    assert f"{disk(0)} is" not in other.failures["z1"]
    assert other.tasks == ()


def test_a_pool_that_is_not_in_use_is_not_made_anew(guest: Hosts) -> None:
    """Follows the first: the pool is there."""
    guest.bed.run("z1", "zpool export tank")
    away = storage(guest, [disk(0), disk(1)])
    assert "zpool import tank takes it into use again" in away.failures["z1"]
    assert away.tasks == ()
    # Another one of that name is on disk 4.
    guest.bed.run("z1", f"zpool import -d {disk(0)}-part1 -d {disk(1)}-part1 tank")
    again = storage(guest, [disk(0), disk(1)])
    assert again.rc == 0, again.output
    assert again.tasks == ()


def test_disks_that_were_wiped_as_it_was_said_make_a_pool(guest: Hosts) -> None:
    wanted: dict[str, Any] = {"storage_pool": "vault"}
    disks = [disk(number) for number in (2, 3, 4)]
    refused = storage(guest, disks, **wanted)
    said = [
        line.rpartition("wipe it yourself (")[2].rstrip(")")
        for line in refused.failures["z1"].splitlines()
    ]
    for command in said:
        guest.bed.run("z1", command)
    first = storage(guest, disks, **wanted)
    assert first.rc == 0, first.output
    members = [f"{one}-part1" for one in disks]
    assert layout(guest, "vault") == ["vault", "raidz1-0", *members]
    second = storage(guest, disks, **wanted)
    assert second.tasks == ()
    guest.bed.run("z1", "zpool destroy vault")
