"""PVE's refusals are told apart by status and text."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudpemda.messages import texts
from cloudpemda.proxmox import (
    AnswerLost,
    AuthFailed,
    Busy,
    Changed,
    Exists,
    Locked,
    NodeOffline,
    NoQuorum,
    NotFound,
    OtherError,
    PermissionDenied,
    Protected,
    PveError,
    StorageFull,
    Unsupported,
    WrongParameter,
)
from cloudpemda.proxmox import errors as pve_errors
from cloudpemda.proxmox.errors import classify
from tests.proxmox.reference import recordings

_CALL = {"cluster": "dc", "method": "GET", "path": "/x"}


def _read(status: int, text: str) -> PveError:
    return classify(status, text, {}, write=False, **_CALL)


@pytest.mark.parametrize(
    ("text", "kind", "temporary"),
    [
        ("VM is locked (clone)", Locked, True),
        ("can't lock file '/var/lock/qemu-server/lock-133.conf' - got timeout", Locked, True),
        ("cfs-lock 'storage-nfs' error: got lock request timeout", Locked, True),
        ("got timeout", Busy, True),
        ("cluster not ready - no quorum?", NoQuorum, True),
        ("create pool failed: cfs-lock 'file-user_cfg' error: no quorum!", NoQuorum, True),
        (
            "unable to open file '/etc/pve/nodes/pve1/qemu-server/1.conf.tmp' - Permission denied",
            NoQuorum,
            True,
        ),
        ("Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist", NotFound, False),
        ("unable to find configuration file for VM 998 on node 'pve1'", NotFound, False),
        ("cannot delete service 'vm:140', not HA managed!", NotFound, False),
        ("hostname lookup 'x' failed - failed to get address info for: x", NotFound, False),
        ("no such job '160-9'", NotFound, False),
        ("unable to create VM 100 - VM 100 already exists on node 'pve1'", Exists, False),
        ("unable to create VM 132: config file already exists", Exists, False),
        ("create resource failed: resource ID 'vm:140' already defined", Exists, False),
        ("replication job '160-0' already exists", Exists, False),
        ("update pools failed: VM 101 belongs already to pool 'prod'", Exists, False),
        ("checksum mismatch (file change by other user?)", Changed, False),
        (
            "update HA rules failed: detected modified configuration - file changed by other user?",
            Changed,
            False,
        ),
        ("can't remove VM 112 - protection mode enabled", Protected, False),
        ("zfs error: cannot create 'tank/vm-1-disk-0': out of space", StorageFull, False),
        ("write failed: No space left on device", StorageFull, False),
        ("cannot index groups: ha groups have been migrated to rules", Unsupported, False),
        ("update storage failed: no such option 'nosuch'", OtherError, False),
        ("balloon value too large (must be smaller than assigned memory)", OtherError, False),
    ],
)
def test_a_500_is_told_apart_by_its_text(text: str, kind: type[PveError], temporary: bool) -> None:
    error = _read(500, text)
    assert type(error) is kind
    assert error.temporary is temporary
    assert error.values["text"] == text


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (401, "No ticket", AuthFailed),
        (501, "Method 'GET /cluster/ha/rules' not implemented", Unsupported),
        (595, "No route to host", NodeOffline),
        (596, "error:0A000086:SSL routines::certificate verify failed", NodeOffline),
        (503, "", Busy),
        (400, "Parameter verification failed.", WrongParameter),
    ],
)
def test_other_statuses_speak_for_themselves(status: int, text: str, kind: type[PveError]) -> None:
    assert type(_read(status, text)) is kind


def test_a_write_that_a_proxying_node_lost_is_a_lost_answer_but_not_one_it_never_sent() -> None:
    lost = classify(596, "Connection timed out", {}, write=True, **_CALL)
    unsent = classify(595, "Connection timed out", {}, write=True, **_CALL)
    refused = classify(596, "SSL: certificate verify failed", {}, write=True, **_CALL)
    assert [type(error) for error in (lost, unsent, refused)] == [
        AnswerLost,
        NodeOffline,
        NodeOffline,
    ]


@pytest.mark.parametrize(
    ("text", "path", "privilege"),
    [
        ("Permission check failed (/vms/100, VM.Clone)", "/vms/100", "VM.Clone"),
        ("Permission check failed (/sdn/zones/z/vmbr0, SDN.Use)", "/sdn/zones/z/vmbr0", "SDN.Use"),
        ("Permission check failed", "", ""),
    ],
)
def test_a_403_says_what_lacks_where(text: str, path: str, privilege: str) -> None:
    error = _read(403, text)
    assert isinstance(error, PermissionDenied)
    assert (error.object_path, error.privilege) == (path, privilege)
    assert error.code == ("pve.permission" if privilege else "pve.permission-unnamed")


def test_a_403_for_a_pool_that_is_not_there_is_not_a_matter_of_rights() -> None:
    assert isinstance(_read(403, "Permission check failed (pool 'x' does not exist)"), NotFound)


def _recorded_errors() -> Iterator[dict[str, Any]]:
    for row in recordings():
        if isinstance(row["status_code"], int) and row["status_code"] >= 400:
            yield row


def test_every_recorded_refusal_has_a_code_with_a_text() -> None:
    """All answers of 400 and above of two real clusters; the ones by text alone are few."""
    counted: dict[str, int] = {}
    for row in _recorded_errors():
        body = row["body"] if isinstance(row["body"], dict) else {}
        errors = {key: str(why) for key, why in (body.get("errors") or {}).items()}
        text = body.get("message") or row["reason"] or ""
        write = row["method"] != "GET"
        error = classify(row["status_code"], text, errors, write=write, **_CALL)
        assert error.code in texts(), json.dumps(row)
        counted[error.code] = counted.get(error.code, 0) + 1
    assert set(counted) >= {
        "pve.auth",
        "pve.changed",
        "pve.exists",
        "pve.locked",
        "pve.node-offline",
        "pve.not-found",
        "pve.parameter",
        "pve.permission",
        "pve.protected",
        "pve.quorum",
        "pve.unsupported",
    }
    assert counted["pve.other"] < sum(counted.values()) / 5, counted


def test_every_code_of_the_room_has_a_text() -> None:
    room = Path(pve_errors.__file__).parent
    codes = {
        code
        for file in room.glob("*.py")
        for code in re.findall(r'"(pve\.[a-z-]+)"', file.read_text(encoding="utf-8"))
    }
    assert len(codes) > 20
    assert codes <= set(texts())
