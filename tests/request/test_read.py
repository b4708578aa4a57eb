"""Reading requests: what is accepted, what it comes to mean, what is refused and where."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudpemda.document.source import MOST_FAULTS
from cloudpemda.errors import Fault, InvalidInput
from cloudpemda.messages import explain
from cloudpemda.request import WorkloadSpec, read, read_any
from cloudpemda.units import MiB
from tests.request.documents import ED25519, OTHER_KEY, Tree, valid, write


@dataclass(frozen=True)
class Flavor:
    cpu: int
    memory: MiB


FLAVORS = {"m4": Flavor(4, MiB(8192)), "s2": Flavor(2, MiB(4096))}


def spec_of(tree: object) -> WorkloadSpec:
    spec = read_any(write(tree), "f.yaml", FLAVORS)
    assert isinstance(spec, WorkloadSpec)
    return spec


def faults_of(data: bytes) -> tuple[Fault, ...]:
    with pytest.raises(InvalidInput) as caught:
        read_any(data, "f.yaml", FLAVORS)
    return caught.value.faults


def test_a_valid_request_means_what_it_says() -> None:
    spec = spec_of(valid())
    assert spec.key == "dinkes/simrs"
    assert (spec.service_class, spec.until) == ("critical", date(2027, 12, 31))
    assert spec.letter.date == date(2026, 11, 20)
    assert spec.requester.nip == "198501012010012001"
    app, db = spec.vms
    assert (app.name, app.count, app.cpu, app.memory, app.keep_apart) == ("app", 1, 4, 8192, False)
    assert (db.name, db.members, db.keep_apart) == ("db", ("db-1", "db-2"), True)
    assert [(disk.name, disk.size, disk.storage_class, disk.protect) for disk in db.disks] == [
        ("root", 40960, "ssd", True),
        ("data", 204800, "hdd", False),
    ], "the root disk comes first, the others by name"
    assert [(nic.network, nic.public_ip) for nic in app.networks] == [("dinkes-app", True)]
    assert db.ssh_keys == tuple(sorted([ED25519, OTHER_KEY]))


def test_a_file_is_read_like_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(write(valid()))
    assert read(tmp_path / "r.yaml", FLAVORS) == spec_of(valid())


def test_faults_call_the_file_as_asked(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("a: 1")
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path / "r.yaml", FLAVORS, name="inbox/7")
    assert {fault.file for fault in caught.value.faults} == {"inbox/7"}


Change = Callable[[Tree], Any]


def vm(tree: Tree, index: int = 0) -> Tree:
    found: Tree = tree["spec"]["vms"][index]
    return found


def rsa(bits: int) -> str:
    def part(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    modulus = b"\0" + ((1 << (bits - 1)) + 1).to_bytes(bits // 8, "big")
    blob = part(b"ssh-rsa") + part(b"\1\0\1") + part(modulus)
    return f"ssh-rsa {base64.b64encode(blob).decode()}"


def ecdsa(curve: str, length: int) -> str:
    def part(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    kind = f"ecdsa-sha2-{curve}"
    blob = part(kind.encode()) + part(curve.encode()) + part(b"\4" + b"x" * (length - 1))
    return f"{kind} {base64.b64encode(blob).decode()} asep"


WRONG: list[tuple[str, Change, str, str | None]] = [
    ("other version", lambda t: t.update(apiVersion="v2"), "document.choice", "apiVersion"),
    ("other kind", lambda t: t.update(kind="Pod"), "document.choice", "kind"),
    ("no kind", lambda t: t.pop("kind"), "document.missing", "kind"),
    ("another kind", lambda t: t.update(kind="VmRequest"), "document.choice", "kind"),
    ("unknown key", lambda t: t.update(extra=1), "request.unknown-key", "extra"),
    ("inside name", lambda t: t["spec"].update(service_class="x"), "request.unknown-key",
     "spec.service_class"),
    ("no vms", lambda t: t["spec"].update(vms=[]), "document.too-few", "spec.vms"),
    ("until in words", lambda t: t["spec"].update(until="besok"), "document.date", "spec.until"),
    ("until in the year 1", lambda t: t["spec"].update(until="0001-01-01"), "document.date",
     "spec.until"),
    ("purpose with escape", lambda t: t["spec"].update(purpose="a\x1b[2J"), "document.unprintable",
     "spec.purpose"),
    ("purpose empty", lambda t: t["spec"].update(purpose=" \n"), "document.text-empty",
     "spec.purpose"),
    ("name with a slash", lambda t: t["metadata"].update(name="../x"), "document.name",
     "metadata.name"),
    ("short nip", lambda t: t["metadata"]["requester"].update(nip="12345"), "document.nip",
     "metadata.requester.nip"),
    ("e-mail", lambda t: t["metadata"]["requester"].update(email="siti@x\n.y"), "document.email",
     "metadata.requester.email"),
    ("count 0", lambda t: vm(t).update(count=0), "document.too-small", "spec.vms[0].count"),
    ("count 51", lambda t: vm(t).update(count=51), "document.too-big", "spec.vms[0].count"),
    ("cpu 0", lambda t: vm(t).update(cpu=0), "document.too-small", "spec.vms[0].cpu"),
    ("cpu 129", lambda t: vm(t).update(cpu=129), "document.too-big", "spec.vms[0].cpu"),
    ("memory 511", lambda t: vm(t).update(memory="511 MiB"), "document.too-small",
     "spec.vms[0].memory"),
    ("memory 2 TiB", lambda t: vm(t).update(memory="2 TiB"), "document.too-big",
     "spec.vms[0].memory"),
    ("memory without unit", lambda t: vm(t).update(memory=16), "unit.missing",
     "spec.vms[0].memory"),
    ("no size", lambda t: (vm(t).pop("cpu"), vm(t).pop("memory")), "request.no-size",
     "spec.vms[0]"),
    ("half a size", lambda t: vm(t).pop("memory"), "request.no-size", "spec.vms[0]"),
    ("flavor and cpu", lambda t: vm(t, 1).update(cpu=4), "request.two-sizes", "spec.vms[1].cpu"),
    ("unknown flavor", lambda t: vm(t, 1).update(flavor="xxl"), "request.unknown-flavor",
     "spec.vms[1].flavor"),
    ("equal vms", lambda t: vm(t, 1).update(name="db"), "request.equal-names",
     "spec.vms[1].name"),
    ("equal disks", lambda t: vm(t)["disks"][1].update(name="root"), "request.equal-names",
     "spec.vms[0].disks[1].name"),
    ("equal networks", lambda t: vm(t)["networks"][1].update(name="dinkes-app"),
     "request.equal-names", "spec.vms[0].networks[1].name"),
    ("no root disk", lambda t: vm(t)["disks"].pop(0), "request.no-root-disk",
     "spec.vms[0].disks"),
    ("no disk", lambda t: vm(t).update(disks=[]), "document.too-few", "spec.vms[0].disks"),
    ("small disk", lambda t: vm(t)["disks"][0].update(size="1 MiB"), "document.too-small",
     "spec.vms[0].disks[0].size"),
    ("no key", lambda t: vm(t).update(sshKeys=[]), "document.too-few", "spec.vms[0].sshKeys"),
    ("key of dsa", lambda t: vm(t).update(sshKeys=["ssh-dss AAAA x"]), "request.ssh-key-type",
     "spec.vms[0].sshKeys[0]"),
    ("key with options", lambda t: vm(t).update(sshKeys=[f'command="x" {ED25519}']),
     "request.ssh-key-type", "spec.vms[0].sshKeys[0]"),
    ("key cut", lambda t: vm(t).update(sshKeys=[ED25519[:60]]), "request.ssh-key",
     "spec.vms[0].sshKeys[0]"),
    ("key of another type", lambda t: vm(t).update(sshKeys=[ED25519.replace(
        "ssh-ed25519", "ssh-rsa", 1)]), "request.ssh-key", "spec.vms[0].sshKeys[0]"),
    ("key with a second line", lambda t: vm(t).update(sshKeys=[ED25519 + "\nssh-rsa x"]),
     "request.ssh-key", "spec.vms[0].sshKeys[0]"),
    ("key not base64", lambda t: vm(t).update(sshKeys=["ssh-rsa !!!!"]), "request.ssh-key",
     "spec.vms[0].sshKeys[0]"),
    ("key without body", lambda t: vm(t).update(sshKeys=["ssh-rsa"]), "request.ssh-key",
     "spec.vms[0].sshKeys[0]"),
    ("short rsa", lambda t: vm(t).update(sshKeys=[rsa(1024)]), "request.ssh-key-short",
     "spec.vms[0].sshKeys[0]"),
    ("wrong curve", lambda t: vm(t).update(sshKeys=[ecdsa("nistp256", 64)]), "request.ssh-key",
     "spec.vms[0].sshKeys[0]"),
    ("internet without a public address",
     lambda t: vm(t).update(expose=[{"port": 443, "from": "internet"}]),
     "request.not-public", "spec.vms[0].expose[0].from"),
    ("port 0", lambda t: vm(t).update(expose=[{"port": 0, "from": "opd"}]),
     "document.too-small", "spec.vms[0].expose[0].port"),
    ("port 65536", lambda t: vm(t).update(expose=[{"port": 65536, "from": "opd"}]),
     "document.too-big", "spec.vms[0].expose[0].port"),
    ("from nowhere", lambda t: vm(t).update(expose=[{"port": 443, "from": "all"}]),
     "document.choice", "spec.vms[0].expose[0].from"),
    ("another protocol",
     lambda t: vm(t).update(expose=[{"port": 443, "protocol": "icmp", "from": "opd"}]),
     "document.choice", "spec.vms[0].expose[0].protocol"),
    ("name too long for PVE", lambda t: (t["metadata"].update(name="a" * 32),
                                         vm(t).update(name="b" * 32)),
     "request.name-too-long", "spec.vms[0].name"),
    *[
        (key, lambda t, key=key: vm(t).update({key: []}), "request.not-yet", f"spec.vms[0].{key}")
        for key in ("keepTogether", "startAfter", "checks")
    ],
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "path"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_one_wrong_thing_is_one_fault(change: Change, code: str, path: str | None) -> None:
    tree = valid()
    change(tree)
    (fault,) = faults_of(write(tree))
    assert (fault.code, fault.path) == (code, path)
    assert fault.line is not None
    what, then = explain(fault.code, "id", fault.values)
    assert "?" not in what + then, "a value of the text is missing"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: vm(t).update(count=50),
        lambda t: vm(t).update(cpu=128),
        lambda t: vm(t).update(memory="512 MiB"),
        lambda t: vm(t).update(memory="1 TiB"),
        lambda t: vm(t).update(sshKeys=[rsa(2048)]),
        lambda t: vm(t).update(sshKeys=[ecdsa("nistp256", 65), ecdsa("nistp521", 133)]),
        lambda t: vm(t).update(sshKeys=[ED25519 + "\n"]),
        lambda t: t["metadata"].update(name="a" * 32),
        lambda t: t["spec"].update(purpose="{{ 7 * 7 }} ${HOME} $(id) %s {0} =cmd|' /C calc'!A0"),
        lambda t: t["spec"].update(purpose="Aplikasi – “é”"),
    ],
)
def test_bounds_are_allowed_and_templates_are_text(change: Change) -> None:
    tree = valid()
    change(tree)
    assert spec_of(tree).purpose == tree["spec"]["purpose"]


def test_one_wrong_field_hides_no_fault_of_another_kind() -> None:
    """Faults of text, of schema and of meaning come together, in the order of the document."""
    data = (
        write(valid())
        .replace(b'"name": "simrs"', b'"name": yes')
        .replace(b'"count": 2', b'"count": 2, "checks": [x], "flavour": "m4"')
        .replace(b'"name": "data"', b'"name": "root"')
        .replace(b'"flavor": "m4"', b'"flavor": "m5"')
    )
    assert [(fault.code, fault.path) for fault in faults_of(data)] == [
        ("document.ambiguous", "metadata.name"),
        ("request.not-yet", "spec.vms[0].checks"),
        ("request.unknown-key", "spec.vms[0].flavour"),
        ("request.equal-names", "spec.vms[0].disks[1].name"),
        ("request.unknown-flavor", "spec.vms[1].flavor"),
    ]


@pytest.mark.parametrize("kind", ["OPENSSH", "RSA", "EC", "ENCRYPTED"])
@pytest.mark.parametrize("place", ["sshKeys", "image", "name"])
def test_a_private_key_is_refused_and_never_repeated(kind: str, place: str) -> None:
    secret = "c2VjcmV0LXRoaW5n"
    pasted = f"-----BEGIN {kind} PRIVATE KEY-----\n{secret}\n-----END {kind} PRIVATE KEY-----\n"
    tree = valid()
    vm(tree)[place] = [pasted] if place == "sshKeys" else pasted
    with pytest.raises(InvalidInput) as caught:
        spec_of(tree)
    error = caught.value
    told = repr(error) + str(error) + repr(error.faults)
    chained: BaseException | None = error
    while chained is not None:
        told += repr(chained) + str(chained)
        chained = chained.__cause__ or chained.__context__
    assert secret not in told
    if place == "sshKeys":
        assert [fault.code for fault in error.faults] == ["request.ssh-private-key"]


FLOODS = {
    "unknown keys": "\n".join(f"k{n}: 1" for n in range(9_990)),
    "equal names": "spec: {vms: [" + "{name: a}," * 4_900 + "]}",
    "equal disks": "spec: {vms: [{disks: [" + "{name: a}," * 4_900 + "]}]}",
    "bad keys": "spec: {vms: [{sshKeys: [" + "a," * 9_900 + "]}]}",
    "no mappings": "spec: {vms: [" + "1," * 9_900 + "]}",
}


@pytest.mark.parametrize("name", FLOODS)
def test_of_a_flood_of_faults_the_first_fifty_are_told(name: str) -> None:
    faults = faults_of(FLOODS[name].encode())
    assert len(faults) == MOST_FAULTS + 1
    assert [fault.code for fault in faults].count("document.too-many-faults") == 1
    assert faults[-1].code == "document.too-many-faults"
    assert list(faults) == sorted(faults, key=lambda fault: (fault.line or 0, fault.column or 0))
