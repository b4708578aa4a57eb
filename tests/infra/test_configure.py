"""`cloudpemda nodes check|configure` on booted hosts, as an operator runs it."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.acceptance.command import Answer, Command
from tests.infra.bed import NAMES
from tests.infra.conftest import ROOT, SITE, Hosts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SHUT_OUT = "you come from 10.77.10.254, which is in none of 192.0.2.0/24"


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lab's site on this machine's clock, with the booted hosts as its servers."""
    # Else a connection kept open leads past a host key, or to another worker's host.
    monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", str(tmp_path / "cp"))
    ignored = shutil.ignore_patterns("var")
    shutil.copytree(ROOT / "inventories" / "lab", tmp_path / "site", ignore=ignored)
    file = tmp_path / "site" / "site.yaml"
    file.write_text(file.read_text().replace("clock: lab ", "clock: system "))

    def host(name: str) -> dict[str, object]:
        first, second = hosts.bed.address(name, 0), hosts.bed.address(name, 1)
        return {
            "ansible_host": first,
            "node_address": f"{first}/24",
            "node_ports": ["eth9"],
            "node_links": [
                {"name": "ring0", "address": f"{first}/24"},
                {"name": "ring1", "address": f"{second}/24"},
            ],
            "node_rings": [first, second],
            "node_pool_disks": ["/dev/disk/by-id/none"],
            "preflight_disks": [],
        }

    said = {
        "all": {
            "vars": {
                "ansible_ssh_common_args": f"-F {hosts.bed.ssh_config}",
                "ansible_user": "root",
                **{key: value for key, value in SITE.items() if key != "cluster_name"},
                "site_ntp_servers": ["10.77.10.254", "10.77.10.253"],
                "site_gateway": "10.77.10.254",
                "pve_subscribed": False,
            },
            "children": {
                "dc": {"hosts": {name: host(name) for name in ("n1", "n2")}},
                "drc": {"hosts": {"n3": host("n3")}},
                "backup_servers": {"hosts": {"pbs1": {"ansible_host": hosts.bed.address("n2")}}},
                "desk": {
                    "hosts": {"desk1": {"ansible_host": hosts.bed.address("n3")}},
                    "vars": {"cloudpemda_package": "cloudpemda"},
                },
            },
        }
    }
    (tmp_path / "site/ansible").mkdir()
    (tmp_path / "site/ansible/hosts.yaml").write_text(yaml.safe_dump(said))
    return tmp_path / "site"


def changes(answer: Answer) -> int:
    return sum(len(host["changed"]) for run in answer.data["runs"] for host in run["hosts"])


def test_hosts_are_checked_built_and_left_alone(site: Path, hosts: Hosts) -> None:
    hosts.undo_base()
    command = Command(site)
    assert command("rudi", "nodes", "check").code == 0
    for name in NAMES:
        hosts.bed.run(name, "rm -rf /etc/proxmox-backup /usr/local/sbin/pveversion")
    hosts.bed.run("n1", "systemctl stop prometheus-node-exporter; systemd-run --quiet "
                  "--unit=holds9100 python3 -m http.server 9100", check=False)  # fmt: skip
    hosts.bed.wait_for("n1", "ss -ltn | grep -q :9100")
    file = site / "ansible/hosts.yaml"
    before = file.read_text()
    file.write_text(before.replace("10.77.10.0/24", "192.0.2.0/24", 1))
    seen = command("rudi", "nodes", "check", "--reach")
    file.write_text(before)
    hosts.bed.run("n1", "systemctl stop holds9100")
    assert [(run["group"], run["playbook"]) for run in seen.data["runs"]] == [
        (group, "looks") for group in ("backup_servers", "dc", "drc", "desk")
    ]
    looked = {host["name"]: host for run in seen.data["runs"] for host in run["hosts"]}
    # Each look is told where another found something before it, and what comes later is no fault.
    for name, host in looked.items():
        told = [message for _, message in host["failures"]]
        if name in NAMES:  # of a cluster
            assert told.pop(0).startswith("eth9 is no network card of this server, which has ")
        assert told[0].startswith(SHUT_OUT), (name, told)
        assert [one.partition(":")[0] for one in told[1:]] == (
            ["TCP 9100 is held by python3"] if name == "n1" else []
        )
    assert looked["pbs1"]["later"][0].startswith("Proxmox Backup Server is not installed")
    assert looked["n1"]["later"][0].startswith("Proxmox VE is not installed yet")
    assert (seen.code, changes(seen)) == (6, 0)
    nowhere = command("rudi", "nodes", "configure", "network", "--limit", "desk")
    assert (nowhere.code, nowhere.codes) == (2, ("configure.nowhere",))

    base = ("nodes", "configure", "base", "--limit", "dc,drc")
    tried = command("rudi", *base, "--check", "--tags", "base")
    assert tried.code == 0, tried.err
    assert changes(tried) > 0
    played = ("audit", "log", "--action", "nodes.configure")
    assert command("rudi", *played).data == []

    built = command("rudi", *base)
    assert built.code == 0, built.err
    assert {host["name"] for run in built.data["runs"] for host in run["hosts"]} == {
        "n1", "n2", "n3",
    }  # fmt: skip
    assert changes(built) > 0
    again = command("rudi", "nodes", "configure", "base", "--limit", "drc,n1")
    assert changes(again) == 0
    assert [run["group"] for run in again.data["runs"]] == ["dc", "drc"]

    entries = command("rudi", *played).data
    assert len(entries) == 4, entries  # two runs, each on two clusters
    assert not list((site / "var/run").glob("ansible-*")), "a run's artefacts were left"


def test_who_cannot_be_reached_and_who_may_not(
    site: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = site / "ansible" / "hosts.yaml"
    known = site.parent / "known_hosts"
    known.write_text(f"10.77.10.1 {hosts.bed.key.with_suffix('.pub').read_text()}")
    said = file.read_text().replace("ansible_host: 10.77.10.2\n", "ansible_host: 10.77.10.99\n")
    way = f"-F {hosts.bed.ssh_config}"
    said = said.replace(way, f"{way} -o UserKnownHostsFile={known}")
    hosts.bed.account("n3", "op")  # who may not become root
    n3 = "n3:\n          ansible_host: 10.77.10.3\n"
    assert n3 in said
    file.write_text(said.replace(n3, f"{n3}          ansible_user: op\n"))
    command = Command(site)
    seen = command("rudi", "nodes", "configure", "preflight")
    assert seen.codes.count("configure.no-root") == 1
    assert set(seen.codes) == {"configure.host-key", "configure.unreachable", "configure.no-root"}
    assert known.read_text().count("10.77.10.3 ") == 1, "the first key that is seen is kept"
    assert seen.code == 5
    silent = "/usr/local/bin/silent"
    hosts.bed.run("n3", f"printf '#!/bin/sh\\nsleep 120\\n' > {silent}; chmod +x {silent}")
    file.write_text(file.read_text().replace(n3, f"{n3}          ansible_become_exe: {silent}\n"))
    monkeypatch.setenv("ANSIBLE_TIMEOUT", "15")  # for sudo, and for the way in before it
    waited = command("rudi", "nodes", "configure", "preflight", "--limit", "n3")
    assert (waited.code, waited.codes) == (5, ("configure.sudo-silent",))
    assert command("siti", "nodes", "configure", "base").code == 4
    assert command("rudi", "nodes", "configure", "base", "--limit", "n9").code == 2
    assert command("rudi", "nodes", "configure", "bases").code == 2
    assert command("rudi", "nodes", "configure", "base", "--tags", "nothing").code == 2
