"""`cloudpemda nodes check|configure` on booted hosts, as an operator runs it."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.acceptance.command import Answer, Command
from tests.infra.conftest import ROOT, SITE, Hosts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


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
    hosts.bed.run("n2", "rm -rf /etc/proxmox-backup")
    seen = command("rudi", "nodes", "check", "--reach")
    assert [(run["group"], run["playbook"], run["sound"]) for run in seen.data["runs"]] == [
        ("backup_servers", "backup_server", False), ("dc", "preflight", True),
        ("drc", "preflight", True), ("desk", "cloudpemda", True),
    ]  # fmt: skip
    ((_, told),) = seen.data["runs"][0]["hosts"][0]["failures"]
    assert "Proxmox Backup Server is not installed" in told
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


def test_who_cannot_be_reached_and_who_may_not(site: Path, hosts: Hosts) -> None:
    file = site / "ansible" / "hosts.yaml"
    known = site.parent / "known_hosts"
    known.write_text(f"10.77.10.1 {hosts.bed.key.with_suffix('.pub').read_text()}")
    said = file.read_text().replace("ansible_host: 10.77.10.2\n", "ansible_host: 10.77.10.99\n")
    way = f"-F {hosts.bed.ssh_config}"
    file.write_text(said.replace(way, f"{way} -o UserKnownHostsFile={known}"))
    command = Command(site)
    seen = command("rudi", "nodes", "configure", "preflight")
    assert set(seen.codes) == {"configure.host-key", "configure.unreachable"}
    assert known.read_text().count("10.77.10.3 ") == 1, "the first key that is seen is kept"
    assert seen.code == 5
    assert command("siti", "nodes", "configure", "base").code == 4
    assert command("rudi", "nodes", "configure", "base", "--limit", "n9").code == 2
    assert command("rudi", "nodes", "configure", "bases").code == 2
    assert command("rudi", "nodes", "configure", "base", "--tags", "nothing").code == 2
