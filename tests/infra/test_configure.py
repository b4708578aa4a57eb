"""`cloudpemda nodes check|configure` on booted hosts, as an operator runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.conftest import ROOT, SITE, Hosts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path) -> Path:
    """The lab's site on this machine's clock, with the booted hosts as its servers."""
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
            },
        }
    }
    (tmp_path / "site/ansible").mkdir()
    (tmp_path / "site/ansible/hosts.yaml").write_text(yaml.safe_dump(said))
    return tmp_path / "site"


def command(site: Path, *words: str, actor: str = "rudi") -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON document, and what went to stderr."""
    whole = (sys.executable, "-m", "cloudpemda", "--site", str(site), "--output", "json")
    done = subprocess.run(
        (*whole, "--actor", actor, *words), capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def changes(document: dict[str, Any]) -> int:
    return sum(len(host["changed"]) for run in document["data"]["runs"] for host in run["hosts"])


def test_hosts_are_checked_built_and_left_alone(site: Path, hosts: Hosts) -> None:
    hosts.undo_base()
    assert command(site, "nodes", "check")[0] == 0
    code, seen, said = command(site, "nodes", "check", "--reach")
    assert (code, changes(seen)) == (0, 0), said

    code, tried, said = command(site, "nodes", "configure", "base", "--check", "--tags", "base")
    assert code == 0, said
    assert changes(tried) > 0
    assert command(site, "audit", "log", "--action", "nodes.configure")[1]["data"] == []

    code, built, said = command(site, "nodes", "configure", "base")
    assert code == 0, said
    assert {host["name"] for run in built["data"]["runs"] for host in run["hosts"]} == {
        "n1", "n2", "n3",
    }  # fmt: skip
    assert changes(built) > 0
    again = command(site, "nodes", "configure", "base", "--limit", "drc,n1")[1]
    assert changes(again) == 0
    assert [run["group"] for run in again["data"]["runs"]] == ["dc", "drc"]

    entries = command(site, "audit", "log", "--action", "nodes.configure")[1]["data"]
    assert len(entries) == 4, entries  # two runs, each on two clusters
    assert not list((site / "var" / "run").iterdir()), "a run's artefacts were left"


def test_who_cannot_be_reached_and_who_may_not(site: Path) -> None:
    file = site / "ansible" / "hosts.yaml"
    file.write_text(file.read_text().replace("10.77.10.2\n", "10.77.10.99\n", 1))
    code, document, _ = command(site, "nodes", "check", "--reach")
    codes = {fault["code"] for fault in document["faults"]}
    assert "configure.unreachable" in codes, document
    assert code == 5
    assert command(site, "nodes", "configure", "base", actor="siti")[0] == 4
    assert command(site, "nodes", "configure", "base", "--limit", "n9")[0] == 2
    assert command(site, "nodes", "configure", "bases")[0] == 2
