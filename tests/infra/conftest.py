"""The three hosts, and playbooks applied to them as an operator's machine does it."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import testinfra
import yaml

from tests.infra.bed import MAJORS, RELEASE, Bed, lacking

ROOT = Path(__file__).parents[2]

SITE: Mapping[str, object] = {
    "site_zone": "Asia/Jakarta",
    "site_ntp_servers": ["10.77.10.254"],
    "site_admin_networks": ["10.77.10.0/24"],
    "site_mail": "noc@example.go.id",
    "pve_major": MAJORS[RELEASE],
    "cluster_name": "dc",
    "preflight_latency_ms": 2000,  # of a machine that does much else, as is what follows:
    **dict.fromkeys(  # all have one clock, and what is told of it comes late
        (
            "preflight_clock_seconds",
            "base_clock_seconds",
            "backup_server_clock_seconds",
            "cloudpemda_clock_seconds",
        ),
        900,
    ),
    "proxmox_root_mib": 100,  # what nothing is installed on needs no room for it
    "storage_arc_gib": 1,  # below the memory of any machine that boots hosts
    "base_keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "base_update_cache": False,  # the hosts reach no mirror
    "base_sysctl": {"net.ipv4.conf.all.accept_redirects": 0},  # the rest belongs to the machine
}


@dataclass(frozen=True)
class Run:
    """What a playbook did: its end, what changed per host, what failed and why."""

    rc: int
    changed: Mapping[str, int]
    tasks: tuple[str, ...]
    failures: Mapping[str, str]
    output: str


@dataclass
class Hosts:
    """The bed, and the way in."""

    bed: Bed
    place: Path
    runs: int = 0
    silences: int = 24
    """Times five seconds that a host may say nothing before Ansible takes it for gone."""

    def on(self, name: str) -> Any:
        """testinfra's view of a host."""
        return testinfra.get_host(
            f"ssh://{self.bed.address(name)}?timeout=60", ssh_config=str(self.bed.ssh_config)
        )

    def undo_base(self) -> None:
        """Something for `base` to do, whatever tests of this worker did before."""
        for name in self.bed.names:
            self.bed.run(name, "rm -f /etc/sysctl.d/60-cloudpemda.conf")

    def play(
        self, playbook: str, *, check: bool = False, limit: str = "", tags: str = "",
        per_host: Mapping[str, Mapping[str, object]] | None = None, skip: str = "preflight",
        groups: Mapping[str, list[str]] | None = None, **variables: object,
    ) -> Run:  # fmt: skip
        """One playbook, without the checks before it unless `skip` is empty: they have their own
        tests, and take longer than most roles."""
        self.runs += 1
        private = self.place / f"run{self.runs}"
        (private / "inventory").mkdir(parents=True)
        hosts = {
            name: {
                "ansible_host": self.bed.address(name),
                "node_rings": [self.bed.address(name, 0), self.bed.address(name, 1)],
                **(per_host or {}).get(name, {}),
            }
            for name in self.bed.names
        }
        common = {
            "ansible_ssh_common_args": f"-F {self.bed.ssh_config}",
            "ansible_user": "root",
            **SITE,
            "pve_major": MAJORS[self.bed.release],
            **variables,
        }
        children: dict[str, object] = {"nodes": {"hosts": hosts}}
        for group, names in (groups or {}).items():
            children[group] = {"hosts": dict.fromkeys(names)}
        inventory = {"all": {"vars": common, "children": children}}
        (private / "inventory" / "hosts.yaml").write_text(yaml.safe_dump(inventory))
        flags = " ".join(
            (["--check --diff"] if check else [])  # as `nodes configure --check`
            + ([f"--tags {tags}"] if tags else [])
            + ([f"--skip-tags {skip}"] if skip else [])
        )
        done = ansible_runner.run(
            private_data_dir=str(private),
            project_dir=str(ROOT / "playbooks"),
            playbook=playbook,
            limit=limit or None,
            cmdline=flags or None,
            quiet=True,
            envvars={
                "ANSIBLE_CONFIG": str(ROOT / "playbooks" / "ansible.cfg"),
                # Else a connection kept open leads to another worker's host of the same address.
                "ANSIBLE_SSH_CONTROL_PATH_DIR": f"/tmp/{self.bed.tag}-ansible",  # noqa: S108
                # As ansible.cfg, with more patience: hosts of a busy machine may be silent for some
                # seconds. Tests of a network that goes away are as quick as the nodes' own runs.
                "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s "
                f"-o ServerAliveInterval=5 -o ServerAliveCountMax={self.silences} "
                "-o StrictHostKeyChecking=accept-new",
                "ANSIBLE_LOCAL_TEMP": str(self.place / "tmp"),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
        )
        return _read(done)

    def reopen(self, *names: str) -> None:
        """No rules and no guard of `hardening` any more: other tests want these hosts open."""
        for name in names:
            self.bed.run(
                name,
                "nft delete table inet cloudpemda; rm -f /etc/nftables.d/cloudpemda.nft "
                "/etc/fail2ban/jail.d/cloudpemda.local; systemctl stop fail2ban; "
                "systemctl disable nftables",
                check=False,
            )

    def settle(self, playbook: str, **wanted: Any) -> None:
        """Where a playbook was played already it changes nothing, and would not in a rehearsal."""
        for check in (False, True):
            done = self.play(playbook, check=check, **wanted)
            assert done.rc == 0, done.output
            assert done.tasks == ()


def _read(done: Any) -> Run:
    failures: dict[str, str] = {}
    tasks = []
    output = []
    for event in done.events:
        output.append(event.get("stdout", ""))
        data = event.get("event_data", {})
        result = data.get("res", {})
        if event["event"] in {"runner_on_failed", "runner_on_unreachable"}:
            parts = [
                str(one.get("msg", "")) for one in result.get("results", ()) if one.get("failed")
            ]
            failures[data["host"]] = " ".join(parts) or str(result.get("msg", ""))
        if event["event"] == "runner_on_ok" and result.get("changed"):
            tasks.append(f"{data['host']}: {data['task']}")
    changed = dict((done.stats or {}).get("changed", {}))
    # What failed stands first: who reads a long report may see its head alone.
    told = [*(f"{host}: {why}" for host, why in failures.items()), *filter(None, output)]
    return Run(done.rc, changed, tuple(tasks), failures, "\n".join(told))


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ansible's own files of these tests: nothing of them stays with who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_HOME", str(tmp_path_factory.mktemp("ansible")))
        yield


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """New ones for each module: what tests of one do to hosts is nothing to those of another."""
    if (reason := lacking()) is not None:
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("bed")
    bed = Bed(place)
    try:
        bed.start()
        yield Hosts(bed, place)
    finally:
        bed.stop()
