"""Rules of PVE that the program leans on, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.lab.calendar import CalendarError, parse
from tests.labs import Control, RunningLab, layout, running_lab

from .conftest import Client
from .test_main_sequence import create

VM = "/nodes/pve1/qemu/10000"


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    described = layout()
    described["clusters"]["dc"]["version"] = "8.4"
    with running_lab(tmp_path_factory.mktemp("eight") / "lab", described) as lab:
        yield lab


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        ("*/15", "2026-11-20T01:07:00", "2026-11-20T01:15:00"),
        ("02:00", "2026-11-20T02:00:00", "2026-11-21T02:00:00"),
        ("mon..fri 22:30", "2026-11-20T23:00:00", "2026-11-23T22:30:00"),
        ("fri..mon 01:00", "2026-11-20T02:00:00", "2026-11-21T01:00:00"),
        ("*-*-01 03:00", "2026-11-20T01:00:00", "2026-12-01T03:00:00"),
        ("0/2:00", "2026-11-20T01:30:00", "2026-11-20T02:00:00"),
        ("hourly", "2026-11-20T01:30:00", "2026-11-20T02:00:00"),
        ("8..17,22:0/15", "2026-11-20T17:50:00", "2026-11-20T22:00:00"),
    ],
)
def test_calendar_events_fall_due(schedule: str, now: str, due: str) -> None:
    assert parse(schedule).next_after(at(now)) == at(due)


@pytest.mark.parametrize("text", ["", "never", "0 2 * * *", "@daily", "*/0", "mon tue"])
def test_what_is_no_calendar_event_is_refused(text: str) -> None:
    with pytest.raises(CalendarError):
        parse(text)


@given(
    st.integers(0, 23), st.integers(0, 59), st.floats(0, 4e9, allow_nan=False, allow_infinity=False)
)
def test_a_daily_event_is_due_within_a_day(hour: int, minute: int, now: float) -> None:
    due = parse(f"{hour}:{minute}").next_after(now)
    assert due is not None
    assert 0 < due - now <= 24 * 3600 + 1
    moment = datetime.fromtimestamp(due, UTC)
    assert (moment.hour, moment.minute, moment.second) == (hour, minute, 0)


def test_replication_waits_longer_after_each_failure(pve: Client, control: Control) -> None:
    create(pve)
    pve("POST", "/cluster/replication", id="10000-0", type="local", target="pve2")
    control.arm({"at": "1s", "do": "storage-full", "storage": "local-zfs", "node": "pve2"})
    control.advance(2 * 3600)
    failed = [e["at"] for e in control.events() if e["what"] == "replication-failed"]
    waits = [round((b - a) / 60) for a, b in pairwise(failed)]
    assert waits[:5] == [5, 10, 15, 30, 30]


def test_replication_to_a_node_that_is_down_waits_without_counting(
    pve: Client, control: Control
) -> None:
    create(pve)
    pve("POST", "/cluster/replication", id="10000-0", type="local", target="pve2")
    control.node("pve2", "down")
    control.advance(3600)
    assert pve("GET", "/nodes/pve1/replication")[0]["fail_count"] == 0
    control.node("pve2", "up")
    control.advance(120)
    assert pve("GET", "/nodes/pve1/replication")[0]["last_sync"] > 0


def test_a_removed_replication_job_goes_with_its_next_run_and_its_copies(
    pve: Client, control: Control
) -> None:
    create(pve)
    pve("POST", "/cluster/replication", id="10000-0", type="local", target="pve2")
    control.advance(120)
    assert pve("GET", "/nodes/pve2/storage/local-zfs/content") != []
    pve("DELETE", "/cluster/replication/10000-0")
    assert pve("GET", "/cluster/replication")[0]["remove_job"] == "full"
    control.advance(60)
    assert pve("GET", "/cluster/replication") == []
    assert pve("GET", "/nodes/pve2/storage/local-zfs/content") == []


def test_a_backup_job_of_a_pool_takes_its_direct_members_alone(
    pve: Client, control: Control
) -> None:
    for pool, vmid in (("opd", 10000), ("opd/web", 10001)):
        pve("POST", "/pools", poolid=pool)
        create(pve, vmid, pool=pool)
    pve("POST", "/cluster/backup", id="night", schedule="02:00", storage="pbs-dc", pool="opd")
    missed = pve("GET", "/cluster/backup-info/not-backed-up")
    assert [row["vmid"] for row in missed] == [10001]
    control.advance(24 * 3600)
    backups = pve("GET", "/nodes/pve1/storage/pbs-dc/content", content="backup")
    assert [row["vmid"] for row in backups] == [10000]


def test_backups_are_pruned_to_what_is_to_be_kept(pve: Client, control: Control) -> None:
    create(pve)
    pve("POST", "/cluster/backup", id="night", schedule="*:00", storage="pbs-dc", vmid=10000,
        **{"prune-backups": "keep-last=2,keep-daily=3"})  # fmt: skip
    control.advance(5 * 24 * 3600)
    kept = [b["ctime"] for b in pve("GET", "/nodes/pve1/storage/pbs-dc/content", content="backup")]
    days = {datetime.fromtimestamp(t, UTC).date() for t in kept}
    assert len(kept) == 5
    assert len(days) == 4


def test_a_node_that_is_down_backs_up_nothing(pve: Client, control: Control) -> None:
    create(pve)
    pve("POST", "/cluster/backup", id="night", schedule="02:00", storage="pbs-dc", vmid=10000)
    control.node("pve1", "down")
    control.advance(24 * 3600)
    assert [e for e in control.events() if e["what"] == "backed-up"] == []


def test_changes_of_a_running_vm_wait_for_its_next_start(pve: Client) -> None:
    create(pve)
    pve.task("POST", f"{VM}/status/start")
    pve("PUT", f"{VM}/config", memory=4096, description="now")
    assert pve("GET", f"{VM}/config")["memory"] == "4096"
    current = pve("GET", f"{VM}/config", current=1)
    assert (current["memory"], current["description"]) == ("2048", "now")
    waiting = [row for row in pve("GET", f"{VM}/pending") if "pending" in row]
    assert waiting == [{"key": "memory", "value": "2048", "pending": "4096"}]
    pve.task("POST", f"{VM}/status/stop")
    pve.task("POST", f"{VM}/status/start")
    assert pve("GET", f"{VM}/config", current=1)["memory"] == "4096"


def test_a_token_of_root_is_not_root(root: Client, lab: RunningLab) -> None:
    root.task("POST", "/nodes/pve1/qemu", vmid=500)
    secret = root("POST", "/access/users/root@pam/token/tok", privsep=0)["value"]
    token = Client(lab)
    token.headers = {"Authorization": f"PVEAPIToken=root@pam!tok={secret}"}
    refused = token.send("PUT", "/nodes/pve1/qemu/500/config", lock="backup")
    assert refused.reason == "only root can set 'lock' config"
    assert root("PUT", "/nodes/pve1/qemu/500/config", lock="backup") is None


def test_a_fresh_token_with_privilege_separation_has_none(root: Client, lab: RunningLab) -> None:
    root("POST", "/nodes/pve1/qemu", vmid=500)
    secret = root("POST", "/access/users/root@pam/token/tok")["value"]
    token = Client(lab)
    token.headers = {"Authorization": f"PVEAPIToken=root@pam!tok={secret}"}
    assert token("GET", "/access/permissions") == {}
    assert token("GET", "/nodes/pve1/qemu") == []
    root("PUT", "/access/acl", path="/vms/500", tokens="root@pam!tok", roles="PVEAuditor")
    assert [vm["vmid"] for vm in token("GET", "/nodes/pve1/qemu")] == [500]


def test_a_deeper_acl_entry_replaces_what_was_inherited(root: Client, lab: RunningLab) -> None:
    root("POST", "/access/users", userid="ani@pve", password="rahasia-ani")
    root("PUT", "/access/acl", path="/vms", users="ani@pve", roles="PVEVMAdmin")
    root("PUT", "/access/acl", path="/vms/500", users="ani@pve", roles="PVEAuditor")
    held = root("GET", "/access/permissions", userid="ani@pve")
    assert "VM.Allocate" in held["/vms"]
    assert set(held["/vms/500"]) & {"VM.Allocate", "VM.Audit"} == {"VM.Audit"}


def test_8_has_groups_and_9_has_rules(pve: Client, eight: RunningLab) -> None:
    old = Client(eight)
    create(old)
    old("POST", "/cluster/ha/groups", group="dinkes", nodes="pve1:2,pve2", restricted=1)
    old("POST", "/cluster/ha/resources", sid="vm:10000", group="dinkes")
    assert old.send("GET", "/cluster/ha/rules").status_code == 501
    gone = pve.send("GET", "/cluster/ha/groups")
    assert gone.reason == "cannot index groups: ha groups have been migrated to rules"


def test_the_program_protects_a_vm_on_8_with_the_rights_of_8(eight: RunningLab) -> None:
    old = Client(eight)
    eight.control.reset()
    create(old, tags="B;a")
    assert old("GET", f"{VM}/config")["tags"] == "B;a"
    old("POST", "/cluster/replication", id="10000-0", type="local", target="pve2")
    old("POST", "/cluster/backup", schedule="02:00", storage="pbs-dc", vmid=10000)
    eight.control.advance(120)
    assert old("GET", "/nodes/pve1/replication")[0]["last_sync"] > 0


def test_contradicting_rules_are_refused(pve: Client) -> None:
    for vmid in (10000, 10001):
        create(pve, vmid)
        pve("POST", "/cluster/ha/resources", sid=f"vm:{vmid}")
    both = "vm:10000,vm:10001"
    pve("POST", "/cluster/ha/rules", rule="apart", type="resource-affinity", resources=both,
        affinity="negative")  # fmt: skip
    answer = pve.send("POST", "/cluster/ha/rules", rule="together", type="resource-affinity",
                      resources=both, affinity="positive")  # fmt: skip
    assert answer.reason == "create ha rule failed: 400 Rule 'together' is invalid."
    assert "negative resource affinity" in answer.json()["message"]


def test_space_is_counted_by_what_was_allocated(tmp_path: Path) -> None:
    described = layout()
    described["clusters"]["dc"]["storages"]["local-zfs"]["size"] = "5 GiB"
    with running_lab(tmp_path / "lab", described) as lab:
        pve = Client(lab)
        assert create(pve, 10000) == "OK"
        status = pve("GET", "/nodes/pve1/storage/local-zfs/status")
        assert status["used"] == 2 * 1024**3 + 4 * 1024**2
        assert create(pve, 10001) == "OK"
        assert "out of space" in create(pve, 10002)
        assert pve.task("DELETE", "/nodes/pve1/qemu/10001") == "OK"
        assert create(pve, 10002) == "OK"


def test_a_nic_set_without_an_address_gets_a_new_one(pve: Client) -> None:
    create(pve)
    first = pve("GET", f"{VM}/config")["net0"]
    assert pve("PUT", f"{VM}/config", net0="virtio,bridge=vmbr0,tag=110") is None
    second = pve("GET", f"{VM}/config")["net0"]
    assert second.split(",")[1:] == first.split(",")[1:]
    assert second != first


def test_protection_keeps_the_vm_and_its_disks(pve: Client) -> None:
    create(pve, protection=1)
    assert pve.send("DELETE", VM).reason == "can't remove VM 10000 - protection mode enabled"
    refused = pve.send("PUT", f"{VM}/config", delete="scsi0")
    assert refused.reason == "can't remove drive 'scsi0' - protection mode enabled"


def test_a_disk_taken_out_stays_as_unused_until_it_is_destroyed(
    pve: Client, control: Control
) -> None:
    create(pve)
    pve("PUT", f"{VM}/config", delete="scsi0")
    config = pve("GET", f"{VM}/config")
    assert config["unused0"] == "local-zfs:vm-10000-disk-0"
    pve("PUT", f"{VM}/config", delete="unused0")
    volumes = [v["volid"] for v in control.state()["dc"]["volumes"]]
    assert "local-zfs:vm-10000-disk-0" not in volumes
