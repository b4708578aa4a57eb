"""docs/nodes.md walked as a newcomer does: its examples, its steps in its order, on bare hosts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.command import Answer, Command
from tests.infra import fake_pve
from tests.infra.bed import NAMES, Bed, lacking
from tests.infra.conftest import ROOT, SITE
from tests.infra.mirror import Mirror

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(fake_pve.reference() is None, reason="no schemas of the vendor's API here"),
]
ACTOR = "root"  # whom `init` writes into people.yaml: booting hosts needs it
GUIDE = (ROOT / "docs/nodes.md").read_text(encoding="utf-8")
OF_THE_BED: dict[str, Any] = {
    **{name: SITE[name] for name in (
        "preflight_latency_ms", "preflight_clock_seconds", "base_clock_seconds", "base_sysctl",
        "storage_arc_gib",
    )},
    "preflight_disks": [],  # the hosts have no disks of their own
    "storage_disks": ["/dev/null", "/dev/zero"],
    "storage_boot_image": False,
    "network_vlans": "",  # not in every kernel that hosts are booted on
    "network_undo_seconds": 240,
    "hardening_undo_seconds": 240,
}  # fmt: skip


def steps() -> list[list[str]]:
    """The commands of the guide's steps 2 to 11, in their order."""
    order = GUIDE.partition("## In which order")[2].partition("\n12. ")[0]
    return [said.split() for said in re.findall(r"`cloudpemda (nodes [^`]+)`", order)]


def example(file: str) -> Any:
    """A file of the inventory as the guide shows it."""
    return yaml.safe_load(GUIDE.partition(f"# ansible/{file}\n")[2].partition("```")[0])


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    """Where Debian's and the vendor's packages are fetched from."""
    if (reason := lacking()) is not None:
        pytest.skip(reason)
    mirror = Mirror(tmp_path_factory.mktemp("mirror"))
    mirror.make()
    return mirror


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory, mirror: Mirror) -> Iterator[Bed]:
    """Bare hosts of this walk's own: others would find them hardened."""
    bed = Bed(tmp_path_factory.mktemp("walk"))
    try:
        bed.start()
        fake_pve.install(bed, links=False)
        with mirror.serve(bed):
            for name in NAMES:
                mirror.bare(bed, name)
                bed.account(name, "admin", "admin ALL=(ALL) NOPASSWD: ALL")
                card = "ip link add eno1 type veth peer name switch1 && ip link set switch1 up"
                bed.run(name, card)
            yield bed
    finally:
        bed.stop()


@pytest.fixture
def site(bed: Bed, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`cloudpemda init`, and the guide's inventory with three servers for its one."""
    monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", str(tmp_path / "cp"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    site = tmp_path / "site"
    assert Command(site)(ACTOR, "init", str(site)).code == 0
    file = site / "site.yaml"
    said = re.sub(r"https://pve([12])\.", r"https://n\1.", file.read_text())
    file.write_text(said.replace("identity: login", "identity: asserted"))
    hosts, common, own = (
        example(name) for name in ("hosts.yaml", "group_vars/all.yaml", "group_vars/dc.yaml")
    )
    group = hosts["all"]["children"]["dc"]["hosts"]
    shown = group.pop("pve1")
    for number, name in enumerate(NAMES, 1):
        rings = [bed.address(name, ring) for ring in (0, 1)]
        links = [{"name": f"ring{ring}", "address": f"{rings[ring]}/24"} for ring in (0, 1)]
        here = {
            "ansible_host": rings[0], "node_address": f"10.77.30.{number}/24",
            "node_ports": ["eno1"], "node_links": links, "node_rings": rings,
        }  # fmt: skip
        group[name] = {**shown, **here}
        if name != NAMES[0]:  # these are entered as root by sudo
            group[name]["ansible_user"] = "admin"
    common |= {
        "site_ntp_servers": ["10.77.10.254", "10.77.10.253"], "pve_major": 8,
        "site_admin_networks": ["10.77.10.254/32"],
        "ansible_ssh_common_args": f"-F {bed.ssh_config}",
        **OF_THE_BED, **mirror.told, **mirror.source("pve"),
    }  # fmt: skip
    own["site_gateway"] = "10.77.30.254"
    place = site / "ansible/group_vars"
    place.mkdir(parents=True)
    for name, text in (("../hosts", hosts), ("all", common), ("dc", own)):
        (place / f"{name}.yaml").write_text(json.dumps(text))
    return site


def changes(answer: Answer) -> list[str]:
    runs = answer.data["runs"]
    return [f"{run['playbook']}: {task}" for run in runs for host in run["hosts"]
            for task in host["changed"]]  # fmt: skip


def test_bare_servers_become_a_cluster_by_the_guide_alone(site: Path, bed: Bed) -> None:
    command = Command(site)
    walk = steps()
    assert walk[0] == ["nodes", "check"]
    assert ["nodes", "check", "--reach"] in walk
    played: list[str] = []
    for words in walk:
        if "monitoring" in words:  # as step 11 says
            for name in NAMES:
                bed.run(name, "ln -s /bin/true /usr/local/bin/mail")
        answer = command(ACTOR, *words)
        line = " ".join(words)
        assert answer.code == 0, f"{line}: {answer.codes} {answer.err[-2000:]} {answer.data}"
        if "--reach" in words:
            (run,) = answer.data["runs"]
            later = [one.partition(",")[0] for host in run["hosts"] for one in host["later"]]
            assert later == ["the program mail is not here"] * 3
        if words[1] == "configure" and "--check" not in words:
            played += words[2:]
            assert changes(answer), f"{line} found nothing to do on bare servers"
    assert {"base", "proxmox", "network", "hardening", "cluster", "storage", "access", "images",
            "monitoring"} == set(played)  # fmt: skip
    assert sorted(fake_pve.state(bed)["members"]) == list(NAMES)

    again = command(ACTOR, "nodes", "configure", *played)
    assert again.code == 0, again.err
    assert changes(again) == []
    reached = command(ACTOR, "nodes", "check", "--reach")
    assert (reached.code, changes(reached)) == (0, [])

    made = site.parent / "home/.cloudpemda/dc.token"
    looked = command(ACTOR, "doctor", "--offline")
    assert "document.not-found" in {one["code"] for one in looked.data["findings"]}
    kept = site / "secrets/dc.token"
    kept.write_bytes(made.read_bytes())
    kept.chmod(made.stat().st_mode)  # as `cp -p` does
    looked = command(ACTOR, "doctor", "--offline")
    assert looked.code == 0
    assert not {one["code"] for one in looked.data["findings"]} & {
        "document.not-found", "document.not-private", "site.secret",
    }  # fmt: skip
