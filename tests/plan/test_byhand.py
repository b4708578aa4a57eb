"""What only a person may put right in a VM that was made, and that it is never planned."""

from dataclasses import replace

import pytest

from cloudpemda.cluster import Disk, VmConfig
from cloudpemda.errors import Refused
from cloudpemda.messages import explain
from cloudpemda.plan.byhand import check_by_hand
from cloudpemda.plan.diff import diff, examine, stamp
from cloudpemda.units import MiB
from tests.clusters.load import cluster
from tests.plan.live import applied, config_of, live_vm, with_vm
from tests.plan.values import desired

VM = desired(1)
VMID = VM.identity.vmid
FINE = config_of(VM)


def refused(config: VmConfig) -> list[str]:
    """The codes, all of them with a text in both languages."""
    with pytest.raises(Refused) as refusal:
        check_by_hand(VM, config)
    for fault in refusal.value.faults:
        for lang in ("en", "id"):
            assert "?" not in explain(fault.code, lang, fault.values)[0]
    return [fault.code for fault in refusal.value.faults]


def holding(*disks: Disk) -> VmConfig:
    slots = {disk.slot for disk in disks}
    kept = [disk for disk in FINE.disks if disk.slot not in slots]
    return replace(FINE, disks=(*kept, *disks))


def disk(slot: str, volume: str) -> Disk:
    return Disk(slot, volume.partition(":")[0], volume, MiB(1024))


def test_what_is_as_approved_passes() -> None:
    check_by_hand(VM, FINE)


@pytest.mark.parametrize(
    "volume",
    [
        f"local-zfs:vm-{VMID}-disk-7",
        f"local-zfs:base-9000-disk-0/vm-{VMID}-disk-0",
        f"local:{VMID}/vm-{VMID}-disk-0.qcow2",
    ],
)
def test_a_volume_belongs_to_the_vm_that_it_is_named_after(volume: str) -> None:
    check_by_hand(VM, holding(disk("scsi0", volume)))


@pytest.mark.parametrize(
    "volume",
    [
        f"local-zfs:vm-{VMID}0-disk-0",
        f"local-zfs:vm-{VMID}-disk-0/vm-9-disk-0",
        "local-zfs:base-9000-disk-0",
        "/dev/sda",
    ],
)
def test_the_volume_of_another_is_never_ours(volume: str) -> None:
    assert refused(holding(disk("scsi0", volume))) == ["plan.disk-foreign"]
    assert refused(holding(disk("virtio3", volume))) == ["plan.disk-foreign"]


@pytest.mark.parametrize("slot", ["scsi7", "virtio0", "sata1", "ide0"])
def test_a_disk_more_than_approved_is_named(slot: str) -> None:
    assert refused(holding(disk(slot, f"local-zfs:vm-{VMID}-disk-7"))) == ["plan.disk-extra"]


def test_firmware_disks_and_mounted_images_are_no_data_disks() -> None:
    config = holding(disk("efidisk0", f"local-zfs:vm-{VMID}-disk-7"))
    check_by_hand(VM, replace(config, raw={**FINE.raw, "ide0": "nfs:iso/debian.iso,media=cdrom"}))


def test_the_disk_of_another_vm_read_as_a_cd_rom_is_foreign() -> None:
    raw = {**FINE.raw, "ide0": "local-zfs:vm-9-disk-0,media=cdrom"}
    assert refused(replace(FINE, raw=raw)) == ["plan.disk-foreign"]


def test_everything_is_named_at_once() -> None:
    config = replace(
        FINE,
        disks=(disk("scsi9", f"local-zfs:vm-{VMID}-disk-7"),),
        raw={**FINE.raw, "args": "-drive file=/etc/shadow", "hostpci0": "00:02.0", "usb1": "x"},
    )
    missing = ["plan.disk-missing"] * len(VM.disks)
    assert refused(config) == [*missing, "plan.disk-extra", *["plan.roots-key"] * 3]


def test_it_is_asked_only_of_what_was_made_and_hides_no_other_vm() -> None:
    vms = (VM, desired(2))
    bare = replace(live_vm(VM), config=replace(FINE, disks=()))
    live = with_vm(applied(cluster("three-nodes-empty"), vms), bare)
    first = diff("w", vms, live, {}).vms[0]
    assert [one.key for one in first.differences] == [one.slot for one in VM.disks]
    with pytest.raises(Refused):
        diff("w", vms, live, {}, made=[VM.key])
    judged, errors = examine(vms, live, made=[VM.key, vms[1].key])
    assert set(errors) == {VM.key}
    assert [one.desired.key for one in judged] == [vms[1].key]


def test_what_a_description_says_of_itself_is_kept_short() -> None:
    said = stamp(replace(FINE, description="cloudpemda uid=" + "x" * 8000 + " role=primary\nrest"))
    assert (len(said["uid"]), said["role"]) == (200, "primary")
    assert stamp(replace(FINE, description="somebody's own uid=1")) == {}
