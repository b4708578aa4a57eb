"""What apply sends is what diff compares, in PVE's own words."""

from dataclasses import replace
from urllib.parse import unquote

import pytest

from cloudpemda.plan.model import ImageSource
from cloudpemda.plan.pve_config import (
    added_disks,
    creation_disks,
    desired_config,
    next_replication_id,
    same_value,
    unwanted,
)
from cloudpemda.units import MiB
from tests.plan.live import config_of
from tests.plan.values import desired


def test_everything_that_a_clone_would_inherit_is_set() -> None:
    config = desired_config(desired())
    inherited = {"tags", "protection", "onboot", "description", "name", "net0", "agent", "cores"}
    assert inherited <= config.keys()
    assert config["net0"] == "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=110"
    assert config["ipconfig0"] == "ip=10.10.110.21/24,gw=10.10.110.1"
    assert config["tags"] == "class-critical;cloudpemda;opd-dinkes"
    assert (config["memory"], config["cores"], config["onboot"]) == ("8192", "4", "1")


def test_keys_are_quoted_once_so_that_the_form_quotes_them_twice() -> None:
    quoted = desired_config(desired())["sshkeys"]
    assert quoted == "ssh-ed25519%20AAAA%2F%2B%3D%20siti%40dinkes"
    assert unquote(quoted) == "ssh-ed25519 AAAA/+= siti@dinkes"


def test_the_uid_stands_in_the_description() -> None:
    first = desired_config(desired())["description"].splitlines()[0]
    assert first == "cloudpemda uid=uid-1 role=primary instance=dinkes/simrs/db-1"


def test_only_the_first_nic_has_a_gateway_and_none_needs_a_vlan() -> None:
    nic = replace(desired().nics[0], slot="net1", vlan=None, gateway=None)
    config = desired_config(desired(nics=(*desired().nics, nic)))
    assert "tag=" not in config["net1"]
    assert config["ipconfig1"] == "ip=10.10.110.21/24"


def test_the_root_disk_is_imported_in_the_creating_call_and_the_rest_is_made_there() -> None:
    assert dict(creation_disks(desired())) == {
        "scsi0": "local-zfs:0,import-from=nfs:import/debian-12.qcow2,discard=on,iothread=1",
        "scsi1": "local-zfs:200,discard=on,iothread=1",
        "ide2": "local-zfs:cloudinit",
    }


def test_a_clone_brings_its_root_disk() -> None:
    vm = desired(image=ImageSource(template=9000))
    assert set(added_disks(vm)) == {"scsi1", "ide2"}
    with pytest.raises(ValueError, match="no import volume"):
        creation_disks(vm)


def test_a_disk_that_is_not_protected_is_neither_backed_up_nor_replicated() -> None:
    root, data = desired().disks
    vm = desired(disks=(root, replace(data, backup=False, replicate=False)))
    assert added_disks(vm)["scsi1"].endswith(",backup=0,replicate=0")


@pytest.mark.parametrize(("size", "shown"), [(1024, "1"), (512, "0.5"), (1025, "1.0009765625")])
def test_disk_sizes_are_exact_in_gib(size: int, shown: str) -> None:
    root, data = desired().disks
    vm = desired(disks=(root, replace(data, size=MiB(size))))
    assert added_disks(vm)["scsi1"].startswith(f"local-zfs:{shown},")


@pytest.mark.parametrize(
    ("key", "live", "wanted", "same"),
    [
        ("tags", "b;A", "a;b", True),
        ("tags", " ", "a", False),
        ("tags", "a;b;c", "a;b", False),
        ("net0", "virtio=bc:24:11:00:00:01,firewall=1,bridge=vmbr0",
         "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1", True),
        ("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0",
         "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1", False),
        ("ipconfig0", "gw=10.0.0.1,ip=10.0.0.5/24", "ip=10.0.0.5/24,gw=10.0.0.1", True),
        ("sshkeys", "ssh-ed25519%20A%0A", "ssh-ed25519%20A", True),
        ("sshkeys", "ssh-ed25519%20B", "ssh-ed25519%20A", False),
        ("description", "x\n", "x", True),
        ("memory", "current=600", "600", True),
        ("memory", "600", "601", False),
        ("agent", "1", "enabled=1", True),
        ("agent", "0", "enabled=1", False),
        ("nameserver", "1.1.1.1,8.8.8.8", "1.1.1.1 8.8.8.8", True),
        ("name", "A", "a", False),
    ],
)  # fmt: skip
def test_values_are_compared_by_what_they_mean(
    key: str, live: str, wanted: str, same: bool
) -> None:
    assert same_value(key, live, wanted) is same


def test_leftovers_of_a_template_are_unwanted_and_what_pve_sets_itself_is_not() -> None:
    raw = config_of(desired(), hookscript="local:snippets/x", net3="virtio=0", ipconfig3="ip=dhcp")
    assert unwanted(desired(), raw.raw) == ("hookscript", "ipconfig3", "net3")
    assert unwanted(desired(), config_of(desired()).raw) == ()


def test_a_vm_without_keys_loses_those_of_its_template() -> None:
    vm = desired(ssh_keys=(), nameservers=())
    assert unwanted(vm, {"sshkeys": "x", "nameserver": "1.1.1.1"}) == ("nameserver", "sshkeys")


def test_the_lowest_free_replication_number_is_taken() -> None:
    assert next_replication_id(101, []) == "101-0"
    assert next_replication_id(101, ["101-0", "101-2", "1011-1"]) == "101-1"
