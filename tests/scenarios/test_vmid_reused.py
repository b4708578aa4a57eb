"""A VM of ours is gone, and somebody else's stands under its VMID: no command touches it.

Every command of the program stands in one of two lists. One that can write to a cluster is run
against such strangers, at each moment of a workload's life at which it would have written to the
VM that was there.
"""

import io
import shutil
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import cloudpemda.cli
from cloudpemda.wiring import open_desk
from tests.scenarios.beside import start_command, until_held
from tests.scenarios.conftest import OPERATOR, Answer, Office, running_site

KEY, FILE = "bkad/simkeu", "simkeu.yaml"
VM = f"{KEY}/app-1"
OLD = 501  # a VM that stood there before, adopted
COPY = -1  # the copy of it
DAY = 86400
LETTER = ("--letter", "800/12/2026", "--letter-date", "2026-11-01")
ADOPT = ("adopt", "--cluster", "dc", "--opd", "bkad", *LETTER, "--vmid", str(OLD), "--name", "lama")
WHY = ("--reason", "selesai")
RETIRE = ("request", "retire", KEY, *WHY)
RESTORE = ("vm", "restore", VM, *WHY)
SNAP = ("vm", "snapshot")
GIVEN = "dinkes/simkeu"
TRANSFER = ("request", "transfer", KEY, "dinkes", "--yes", *LETTER)
DRAIN = ("nodes", "drain", "dc/NODE", *WHY)
PURGE = ("request", "purge", KEY, "--confirm", KEY)
SNAPSHOT = "before"

# They write nothing to any cluster, whatever stands there.
READS = frozenset(
    {
        "audit accept-clock", "audit export", "audit log", "audit reanchor", "audit rotate-key",
        "audit verify", "doctor", "drift", "init", "ip list", "leases", "ledger backup",
        "ledger keygen", "ledger restore", "ledger unpack", "ledger verify", "nodes check",
        "nodes configure", "nodes key", "nodes list", "nodes return", "orphans list", "pause",
        "plan", "protect status", "protect window", "quota grants", "quota requests", "quota show",
        "quota verify", "report night", "request approve", "request check", "request deny",
        "request inbox", "request list", "request show", "request submit", "request withdraw",
        "resume", "schema", "status", "vm backups", "vm copy list", "vm disks", "vm list",
        "vm show", "vm snapshot list",
    }
)  # fmt: skip
# They are the lab's own hand, or make a lab of their own.
OF_THE_LAB = frozenset(
    {
        "demo", "lab advance", "lab fault", "lab record", "lab reset", "lab serve", "lab start",
        "lab status", "lab stop",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A command at a moment of the workload's life, and what it says of the stranger."""

    command: str
    moment: str
    words: tuple[str, ...]
    told: str | None = None  # the code of a fault; None: the command succeeds, without his VM
    running: bool = True  # whether the stranger runs
    ha: bool = False  # whether the stranger is under HA
    actor: str = OPERATOR
    days: int = 0  # after the scene was made at the least
    vmid: int | None = None  # another than the workload's

    def __str__(self) -> str:
        ha = " under HA" if self.ha else ""
        return f"{' '.join(self.words[:3])} {self.moment}{ha}"


CASES = (
    Case("apply", "creating", ("apply", KEY), "apply.gone"),
    Case("apply --undo", "creating", ("apply", "--undo", KEY), running=False),
    Case("apply", "active", ("apply", KEY), "plan.identity"),
    Case("apply", "changed", ("apply", KEY), "plan.identity", ha=True),
    Case("apply", "shrunk", ("apply", KEY), "plan.identity"),
    Case("protect converge", "active", ("protect", "converge"), "plan.identity", ha=True),
    Case("nodes drain", "active", (*DRAIN, "--leave-foreign"), "apply.foreign"),
    Case("nodes drain", "active", (*DRAIN, "--leave-foreign"), "apply.foreign", ha=True),
    Case("vm start", "active", ("vm", "start", VM), "apply.foreign", running=False),
    Case("vm start", "active", ("vm", "start", VM), "apply.foreign", running=False, ha=True),
    Case("vm stop", "active", ("vm", "stop", VM, *WHY), "apply.foreign"),
    Case("vm stop", "active", ("vm", "stop", VM, *WHY), "apply.foreign", ha=True),
    Case("vm stop", "active", ("vm", "stop", VM, *WHY, "--hard", "--yes"), "apply.foreign"),
    Case("vm restart", "active", ("vm", "restart", VM), "apply.foreign"),
    Case("vm restart", "active", ("vm", "restart", VM, "--hard", "--yes"), "apply.foreign"),
    Case("vm configure", "active", ("vm", "configure", VM), "apply.foreign"),
    Case("vm snapshot create", "active", (*SNAP, "create", VM, "now", *WHY), "apply.foreign"),
    Case("vm snapshot delete", "active", (*SNAP, "delete", VM, SNAPSHOT), "apply.foreign"),
    Case("vm snapshot rollback", "active", (*SNAP, "rollback", VM, SNAPSHOT, "--yes"),
         "apply.foreign"),
    Case("request retire", "active", RETIRE, "retire.foreign"),
    Case("request retire", "active", RETIRE, "retire.foreign", ha=True),
    Case("request retire", "retiring", RETIRE, "retire.foreign"),
    Case("request restore", "retired", ("request", "restore", KEY), "plan.identity",
         running=False),
    Case("request purge", "retired", (*PURGE, "--now", *WHY), "retire.foreign", running=False),
    Case("request purge", "retired", (*PURGE, "--now", *WHY), "retire.foreign", running=False,
         ha=True),
    Case("request purge", "retired", (*PURGE, "--gone"), "orphans.vmid-used",
         running=False),
    Case("request purge", "purging", (*PURGE, "--now", *WHY), "orphans.vmid-used", running=False),
    Case("orphans clean", "orphans", ("orphans", "clean"), "orphans.vmid-used"),
    Case("vm restore", "active", (*RESTORE, "--from", "latest", "--yes"), "plan.identity"),
    Case("vm copy delete", "copied", ("vm", "copy", "delete", VM, "cek", "--yes"), "retire.foreign",
         running=False, vmid=COPY),
    Case("adopt", "adopting", (*ADOPT, "--yes"), "apply.foreign", vmid=OLD, actor="hendra"),
    Case("request transfer", "active", TRANSFER, "plan.identity", actor="hendra"),
    Case("request transfer", "given", TRANSFER, "plan.identity"),
    Case("apply", "given", ("apply", GIVEN), "plan.identity", ha=True),
    Case("pools sync", "active", ("pools", "sync", "--yes"), "pools.not-ours"),
    Case("leases run", "retired", ("leases", "run"), "retire.foreign", running=False, days=15),
    Case("nightly", "retired", ("nightly",), "retire.foreign", running=False, days=15),
    Case("leases run", "active", ("leases", "run"), "retire.foreign", days=45),
    Case("nightly", "active", ("nightly",), "retire.foreign", days=45),
)  # fmt: skip


def test_every_command_is_in_a_list() -> None:
    """Whoever adds a command says what it does to a VM that is another's, and shows it above."""
    writing = {case.command.removesuffix(" --undo") for case in CASES}
    assert set(_commands(cloudpemda.cli.cli)) == READS | OF_THE_LAB | writing
    assert not READS & writing


def _commands(group: click.Group, *path: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join((*path, name))
        if isinstance(command, click.Group):
            yield from _commands(command, *path, name)


@dataclass(frozen=True)
class Scene:
    """A lab, and the ledger of one site at several moments of its workload's life."""

    office: Office
    vmid: int
    node: str  # where it was
    target: str  # where its copies were
    kept: Path
    copy: int  # the VMID of a copy that was made beside it
    made: float  # lab time

    def wait_until(self, days: int) -> None:
        """So many days after the scene was made; the tests of a worker share its clock."""
        left = self.made + days * DAY - self.office.lab.get("/clock")["now"]
        if days and left > 0:
            self.office.lab.post("/advance", {"seconds": left})

    def outside(self, action: str, vmid: int, **more: object) -> None:
        body = {"cluster": "dc", "action": action, "vmid": vmid, **more}
        self.office.lab.post("/outside", body)

    def at(self, moment: str) -> None:
        """The ledger as it was; the cluster empty."""
        for path in (self.office.directory / "var").iterdir():
            if path.is_file():
                path.unlink()
        shutil.copytree(self.kept / moment, self.office.directory / "var", dirs_exist_ok=True)
        for vmid, vm in self.office.vms().items():
            if not vm.get("template"):
                self.outside("delete-vm", vmid)

    def stranger(self, vmid: int, node: str, *, running: bool, ha: bool) -> None:
        """Looks like ours in all but its uid, and is as well kept."""
        said = f"cloudpemda uid=0123456789abcdef role=primary instance={VM}"
        said = said if vmid == self.vmid else "Server baru"  # one to adopt has no stamp
        made: dict[str, str | int | bool] = {
            "name": "simkeu-app-1",
            "memory": 1024,
            "scsi0": "local-zfs:1",
        }
        with open_desk(self.office.directory, asserted=OPERATOR) as desk:
            pve = desk.cluster("dc")
            for sid in pve.ha_resources():
                pve.remove_ha_resource(int(sid.removeprefix("vm:")))
            pve.create_vm(node, vmid, made)
            self.wait(5)
            pve.take_snapshot(node, vmid, SNAPSHOT, "theirs")
            self.wait(5)
            tags = "cloudpemda;class-normal;opd-bkad"
            self.outside("change-vm", vmid, set={"description": said, "tags": tags},
                         status="running" if running else "stopped")  # fmt: skip
            if ha:
                pve.add_ha_resource(vmid, state="started" if running else "stopped")
        self.wait(30)  # PVE lists a new VM with its node's next report

    def wait(self, seconds: float) -> None:
        self.office.lab.post("/wait", {"seconds": seconds})

    def theirs(self, vmid: int) -> Mapping[str, Any]:
        """All of the lab that is, or speaks of, what stands under the VMID."""
        dc = self.office.lab.get("/state")["dc"]
        names = f"vm:{vmid}"
        return {
            "vm": dc["vms"][str(vmid)],
            "ha": dc["ha_resources"].get(names, {}).get("options"),
            "volumes": [one for one in dc["volumes"] if one.get("vmid") == vmid],
            "pools": [name for name, pool in dc["pools"].items() if vmid in pool["vms"]],
        }


def _keep(office: Office, kept: Path, moment: str) -> None:
    (kept / moment).mkdir(parents=True)
    for path in (office.directory / "var").iterdir():
        if path.is_file():
            shutil.copy2(path, kept / moment)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    place = tmp_path_factory.mktemp("reused")
    with running_site(place / "lab") as (directory, lab):
        office = Office(directory, lab, _call)
        assert office.run("nodes", "key").code == 0
        yield _lived(office, place / "kept")


def _call(*words: str) -> Answer:
    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told), pytest.raises(SystemExit) as ended:
        cloudpemda.cli.main(words)
    assert isinstance(ended.value.code, int)
    return Answer(ended.value.code, out.getvalue(), told.getvalue())


def _lived(office: Office, kept: Path) -> Scene:
    """A whole life, its ledger kept at each moment."""

    def done(*words: str, actor: str = OPERATOR, code: int = 0) -> None:
        answer = office.run(*words, actor=actor)
        assert answer.code == code, f"{words}: {answer.out}"

    def proposed(change: Mapping[str, Any], moment: str) -> None:
        def written(document: dict[str, Any]) -> None:
            document["spec"]["until"] = "2026-12-20"
            document["spec"]["vms"][0] |= {"roles": ["nginx"], **change}

        done("request", "submit", office.edited(FILE, written), actor="nina")
        done("request", "approve", KEY, actor="hendra")
        _keep(office, kept, moment)

    def faults(*several: Mapping[str, object]) -> None:
        office.lab.post("/faults", {"faults": several})

    proposed({}, "approved")
    _killed_while_creating(office)
    _keep(office, kept, "creating")
    done("apply", KEY)
    done("vm", "snapshot", "create", VM, SNAPSHOT, *WHY)
    office.lab.post("/advance", {"seconds": 2 * DAY})  # its nights leave backups
    _keep(office, kept, "active")
    ((vmid, vm),) = office.vms().items()
    done("vm", "restore", VM, "--as-copy", "cek", *WHY)
    (copy,) = set(office.vms()) - {vmid}
    _keep(office, kept, "copied")
    office.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": copy})
    shutil.copytree(kept / "active", office.directory / "var", dirs_exist_ok=True)
    proposed({"flavor": "l8"}, "changed")
    proposed({"flavor": "s2"}, "shrunk")
    (job,) = office.lab.get("/state")["dc"]["replication"].values()
    scene = Scene(
        office,
        vmid,
        vm["node"],
        job["options"]["target"],
        kept,
        copy,
        office.lab.get("/clock")["now"],
    )
    scene.outside("create-vm", OLD, node=vm["node"], config=_OLD)
    scene.wait(30)
    faults({"on": {"method": "P*", "path": f"*/{OLD}/config"}, "do": "error", **_NO})
    done(*ADOPT, "--yes", actor="hendra", code=5)
    _keep(office, kept, "adopting")
    faults()

    shutil.copytree(kept / "active", office.directory / "var", dirs_exist_ok=True)
    _share(office)
    faults({"on": {"method": "PUT", "path": "/pools"}, "do": "error", **_NO})
    done(*TRANSFER, actor="hendra", code=6)
    _keep(office, kept, "given")
    faults()
    shutil.copytree(kept / "active", office.directory / "var", dirs_exist_ok=True)
    scene.outside("change-vm", vmid, set={"lock": "backup"})
    done("request", "retire", KEY, *WHY, code=6)
    _keep(office, kept, "retiring")
    scene.outside("change-vm", vmid, delete=["lock"])
    done("request", "retire", KEY, *WHY)
    _keep(office, kept, "retired")
    _leave(scene, faults, done)
    return scene


def _share(office: Office) -> None:
    """Another OPD may have what this one has."""
    file = office.directory / "opd" / "dinkes.yaml"
    document = yaml.safe_load(file.read_text())
    document["allow"]["networks"].append("bkad-app")
    file.write_text(yaml.safe_dump(document, sort_keys=False))


def _killed_while_creating(office: Office) -> None:
    on = {"method": "PUT", "path": "*/resize", "nth": 1}
    office.lab.post("/faults", {"faults": [{"on": on, "do": "hold", "when": "before"}]})
    running = start_command(office, "apply", KEY)
    until_held(office, running)
    running.kill()
    running.communicate()
    office.lab.post("/release", {"all": True, "answer": False})
    office.lab.post("/faults", {"faults": []})


def _leave(scene: Scene, faults: Any, done: Any) -> None:
    """A purge that was begun; and one that ended while the node with the copies was off."""
    lab, power = scene.office.lab, {"cluster": "dc", "node": scene.target}
    lab.post("/node", {**power, "action": "down"})
    scene.wait(120)
    destroying = {"method": "DELETE", "path": f"*/qemu/{scene.vmid}"}
    faults({"on": destroying, "do": "error", **_NO})
    done(*PURGE, "--now", *WHY, code=6)
    _keep(scene.office, scene.kept, "purging")
    faults()
    done(*PURGE, "--now", *WHY, code=5)
    _keep(scene.office, scene.kept, "orphans")
    lab.post("/node", {**power, "action": "up"})
    scene.wait(120)


_OLD = {
    "name": "lama",
    "memory": "1024",
    "scsi0": f"local-zfs:vm-{OLD}-disk-0,size=1G",
    "net0": "virtio=02:00:00:00:05:01,bridge=vmbr0,tag=130",
}
_NO = {"status": 400, "reason": "Parameter verification failed."}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_whoever_has_our_vmid_is_never_touched(scene: Scene, case: Case) -> None:
    scene.at(case.moment)
    vmid = scene.copy if case.vmid == COPY else case.vmid or scene.vmid
    node = scene.target if case.moment == "orphans" else scene.node
    scene.stranger(vmid, node, running=case.running, ha=case.ha)
    scene.wait_until(case.days)
    before, seen = scene.theirs(vmid), len(scene.office.requests())

    words = (word.replace("NODE", node) for word in case.words)
    answer = scene.office.run(*words, actor=case.actor)

    touching = [
        one
        for one in scene.office.writes_since(seen)
        if f"/qemu/{vmid}/" in f"{one[1]}/" or f"vm:{vmid}" in one[1] or f"/{vmid}-" in one[1]
    ]
    assert touching == []
    assert scene.theirs(vmid) == before
    as_told = not answer.codes if case.told is None else case.told in answer.codes
    assert as_told, answer.document["faults"]
