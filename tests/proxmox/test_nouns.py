"""PVE's rows become the nouns of the house, and odd rows become errors with their place."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.cluster import Backup, Disk, Nic, NodeStatus, VmStatus
from cloudpemda.proxmox import nouns
from cloudpemda.proxmox.errors import BadAnswer
from cloudpemda.proxmox.rows import Row, rows
from cloudpemda.units import MiB, instant
from tests.proxmox.reference import recordings


def _complain(where: str, found: object) -> BadAnswer:
    return BadAnswer("pve.answer", cluster="dc", where=where, text=repr(found))


def _row(**fields: object) -> Row:
    return Row("/x", fields, _complain)


def test_a_configuration_becomes_disks_and_nics() -> None:
    config = nouns.vm_config(
        _row(
            digest="ab12",
            name="dinkes-simrs-db-1",
            cores=2,
            sockets=2,
            memory="8192",
            scsi0="local-zfs:vm-10001-disk-0,discard=on,size=40G",
            scsi1="tank-hdd:vm-10001-disk-1,backup=0,replicate=0,size=524800K",
            scsi2="/dev/sdb,size=1T",
            ide2="local-zfs:vm-10001-cloudinit,media=cdrom",
            ide3="none,media=cdrom",
            unused0="local-zfs:vm-10001-disk-9",
            net0="virtio=bc:24:11:18:08:1c,bridge=vmbr0,firewall=1,tag=110",
            net1="model=e1000,macaddr=BC:24:11:00:00:01,bridge=vmbr1",
            tags="prod; web,a",
            onboot=1,
            description="cloudpemda uid=1\n",
        )
    )
    assert config.disks == (
        Disk("scsi0", "local-zfs", "local-zfs:vm-10001-disk-0", nouns.mib_down(40 * 2**30)),
        Disk(
            "scsi1", "tank-hdd", "tank-hdd:vm-10001-disk-1", MiB(513), backup=False,
            replicate=False,
        ),
        Disk("scsi2", "", "/dev/sdb", MiB(1024 * 1024)),
    )  # fmt: skip
    assert config.nics == (
        Nic("net0", "virtio", "BC:24:11:18:08:1C", "vmbr0", 110, True),
        Nic("net1", "e1000", "BC:24:11:00:00:01", "vmbr1", None, False),
    )
    assert (config.cores, config.memory, config.onboot, config.protection) == (4, 8192, True, False)
    assert config.tags == {"prod", "web", "a"}
    assert config.raw["memory"] == "8192"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory", "lots"),
        ("cores", "two"),
        ("scsi0", "local:1,size=4X"),
        ("net0", "virtio=BC:24:11:18:08:1C,tag=x"),
        ("digest", None),
        ("onboot", "yes"),
        ("description", ["a"]),
    ],
)
def test_an_odd_field_is_an_error_that_names_it(field: str, value: object) -> None:
    fields: dict[str, object] = {"digest": "ab", field: value}
    with pytest.raises(BadAnswer) as caught:
        nouns.vm_config(Row("/nodes/pve1", fields, _complain))
    assert caught.value.values["where"] == f"/nodes/pve1.{field}"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("running", VmStatus.RUNNING),
        ("stopped", VmStatus.STOPPED),
        ("unknown", VmStatus.UNKNOWN),
        ("", VmStatus.UNKNOWN),
        ("paused", VmStatus.RUNNING),
        ("postmigrate", VmStatus.RUNNING),
    ],
)
def test_what_has_a_process_runs(text: str, status: VmStatus) -> None:
    assert nouns.vm_status(text) is status


def test_a_node_in_maintenance_is_not_just_online() -> None:
    found = nouns.node(_row(node="pve1", status="online", hastate="maintenance", maxcpu=16))
    assert found.status is NodeStatus.MAINTENANCE
    lost = nouns.node(_row(node="pve1", status="offline", hastate="maintenance", maxcpu=16))
    assert lost.status is NodeStatus.OFFLINE


def test_a_job_that_never_ran_has_no_last_sync() -> None:
    run = nouns.replication_run(
        _row(id="160-0", guest=160, target="pve2", last_sync=0, last_try=0, fail_count=0), "pve1"
    )
    assert (run.last_sync, run.last_try, run.source) == (None, None, "pve1")


def test_a_rule_with_errors_is_not_enabled() -> None:
    rule = nouns.ha_rule(
        _row(
            rule="apart",
            type="resource-affinity",
            affinity="negative",
            resources="vm:181",
            errors={"resources": ["rule is ineffective as there are less than two resources"]},
        )
    )
    assert not rule.enabled
    assert rule.errors is not None
    assert "less than two" in rule.errors
    assert rule.positive is False


def test_a_group_is_read_with_its_priorities() -> None:
    group = nouns.ha_group(_row(group="g1", nodes="pve1:2,pve2", restricted=1))
    assert (dict(group.nodes), group.strict, group.kind) == ({"pve1": 2, "pve2": 0}, True, "group")


def test_backup_jobs_of_all_ages_are_read() -> None:
    old = nouns.backup_job(_row(id="a:1", starttime="02:00", dow="sat", vmid="100, 101"))
    assert (old.schedule, old.vmids, old.enabled, old.storage) == (
        "sat 02:00",
        frozenset({100, 101}),
        True,
        "local",
    )


def test_what_a_backup_job_keeps_and_leaves_out_is_read_in_each_of_its_forms() -> None:
    keep = {"keep-monthly": "6", "keep-daily": 14}
    sent = nouns.backup_job(
        _row(**{"id": "a", "prune-backups": keep, "exclude-path": ["/a", "/b"]})
    )
    text = nouns.backup_job(
        _row(
            **{"id": "a", "prune-backups": "keep-monthly=6,keep-daily=14", "exclude-path": "/a /b"}
        )
    )
    assert sent.prune == text.prune == "keep-daily=14,keep-monthly=6"
    assert sent.exclude_path == "/a,/b"
    assert (sent.mode, sent.node) == ("snapshot", None)
    limited = nouns.backup_job(_row(id="a", mode="stop", node="pve1"))
    assert (limited.mode, limited.node, limited.prune) == ("stop", "pve1", "")


def test_a_backup_carries_its_verification() -> None:
    found = nouns.backup(
        _row(
            volid="pbs-dc:backup/vm/10001/2026-11-20T01:00:00Z",
            vmid=10001,
            ctime=1763600400,
            size=1,
            verification={"state": "failed", "upid": "UPID:x"},
        ),
        "pbs-dc",
    )
    assert found is not None
    assert found.verified is False
    assert found.taken_at == datetime.fromtimestamp(1763600400, UTC)
    assert nouns.backup(_row(volid="pbs-dc:backup/host/x", ctime=1), "pbs-dc") is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_READERS: list[Callable[[Row], object]] = [
    nouns.node,
    nouns.storage,
    nouns.vm,
    nouns.vm_config,
    nouns.ha_resource,
    nouns.ha_rule,
    nouns.ha_group,
    nouns.replication_job,
    lambda row: nouns.replication_run(row, "pve1"),
    nouns.backup_job,
    lambda row: nouns.backup(row, "pbs"),
]
_NAMES = """
    vmid node name status maxcpu maxmem tags digest memory cores scsi0 net0 nodes resources rule
    group type errors last_sync ctime id guest target schedule volid sid storage onboot hastate
    prune-backups exclude-path mode
"""
_FIELDS = st.sampled_from(_NAMES.split())


@given(st.sampled_from(_READERS), st.dictionaries(_FIELDS, _JSON))
def test_no_answer_can_cause_anything_but_a_named_error(
    read: Callable[[Row], object], fields: dict[str, object]
) -> None:
    places: list[str] = []

    def note(where: str, found: object) -> BadAnswer:
        places.append(where)
        return _complain(where, found)

    with suppress(BadAnswer):
        read(Row("/x", fields, note))
    assert all(place.startswith("/x.") for place in places)


@given(_JSON)
def test_only_lists_of_objects_are_rows(answer: object) -> None:
    is_rows = isinstance(answer, list) and all(isinstance(item, dict) for item in answer)
    try:
        assert len(rows("/x", answer, _complain)) == len(answer)  # type: ignore[arg-type]
        assert is_rows
    except BadAnswer:
        assert not is_rows


def test_everything_two_real_clusters_said_can_be_read() -> None:
    """Every recorded list and configuration of 8.4 and 9.2 becomes nouns without an error."""
    readers: dict[str, Callable[[Row], object]] = {
        "node": nouns.node,
        "storage": nouns.storage,
        "qemu": nouns.vm,
        "/cluster/ha/rules": nouns.ha_rule,
        "/cluster/ha/groups": nouns.ha_group,
        "/cluster/replication": nouns.replication_job,
        "/cluster/backup": nouns.backup_job,
        "service": nouns.ha_resource,
    }
    read: Counter[str] = Counter()
    for recorded in recordings():
        body = recorded["body"]
        if recorded["method"] != "GET" or recorded["status_code"] != 200:
            continue
        path = recorded["path"].removeprefix("/api2/json")
        answer = body.get("data") if isinstance(body, dict) else None
        if isinstance(answer, dict) and path.endswith("/config") and "/qemu/" in path:
            if "digest" in answer and "/snapshot/" not in path:
                nouns.vm_config(Row(path, answer, _complain))
                read["config"] += 1
        elif isinstance(answer, list):
            for item in answer:
                if path in {"/cluster/resources", "/cluster/ha/status/current"}:
                    reader = readers.get(item["type"])
                else:
                    reader = readers.get(path)
                if reader is not None:
                    reader(Row(path, item, _complain))
                    read[path] += 1
    assert set(read) == {
        "config",
        "/cluster/resources",
        "/cluster/ha/status/current",
        *(path for path in readers if path.startswith("/")),
    }


def test_a_snapshot_of_a_backup_server_is_a_backup_once_it_is_whole() -> None:
    fields = {"backup-type": "vm", "backup-id": "10001", "backup-time": 1763600400}
    upid = "UPID:pbs:0000C9D2:00AD8D2B:00000000:691E7310:verificationjob:main\\x3av:root@pam:"
    seen = nouns.backup_snapshot(
        _row(**fields, size=7, verification={"state": "ok", "upid": upid}), "pbs-drc"
    )
    assert seen == Backup(
        "pbs-drc", "pbs-drc:vm/10001/2025-11-20T01:00:00Z", 10001, instant(1763600400), 7,
        verified=True, verified_at=instant(0x691E7310),
    )  # fmt: skip
    odd = {"state": "failed", "upid": "UPID:x"}
    bad = nouns.backup_snapshot(_row(**fields, size=7, verification=odd), "pbs-drc")
    assert bad is not None
    assert (bad.verified, bad.verified_at) == (False, None)
    assert nouns.backup_snapshot(_row(**fields), "pbs-drc") is None  # on its way: no manifest
    for other in ({"backup-type": "ct"}, {"backup-id": "host-1"}, {"backup-id": "9" * 5000}):
        assert nouns.backup_snapshot(_row(**fields | other, size=7), "pbs-drc") is None
