"""An inventory of servers: the example is sound, and every gap and slip is told at its place."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudpemda.configure import PLAYBOOKS, check_inventory, load_inventory, tags_of
from cloudpemda.configure.variables import NEEDED
from cloudpemda.errors import Fault, InvalidInput
from cloudpemda.site import Site, load_site

PURWAKARTA = Path(__file__).parents[2] / "inventories" / "purwakarta"


@pytest.fixture(scope="module")
def purwakarta() -> Site:
    return load_site(PURWAKARTA)


@pytest.fixture
def site(purwakarta: Site, tmp_path: Path) -> Site:
    """The example's inventory, to be spoiled."""
    shutil.copytree(PURWAKARTA / "ansible", tmp_path / "ansible")
    return replace(purwakarta, directory=tmp_path)


def hosts_of(site: Site) -> dict[str, Any]:
    text = (site.directory / "ansible/hosts.yaml").read_text()
    return dict(yaml.load(text, Loader=yaml.CSafeLoader))


def write_hosts(site: Site, said: object) -> None:
    (site.directory / "ansible/hosts.yaml").write_text(yaml.safe_dump(said))


def faults(site: Site) -> list[Fault]:
    return list(check_inventory(site)[1])


def test_the_example_has_ten_servers_three_at_the_recovery_centre_and_is_sound(site: Site) -> None:
    inventory = load_inventory(site)
    count = {group: len(hosts) for group, hosts in inventory.hosts.items()}
    assert count == {"dc": 10, "drc": 3, "backup_servers": 2, "desk": 1}


def test_a_reader_sets_at_most_fifteen_variables() -> None:
    assert len(NEEDED) <= 15


def test_what_is_missing_is_told_beside_what_is_wrong(site: Site) -> None:
    said = hosts_of(site)
    hosts = said["all"]["children"]["dc"]["hosts"]
    first, second, third, *_ = sorted(hosts)
    hosts[first]["node_rings"] = "10.20.2.13"
    hosts[third]["node_rings"] = [["10.20.2.13"]]
    del hosts[second]["node_address"]
    said["all"]["children"][5] = {"hosts": {7: None}}
    write_hosts(site, said)
    told = {one.code: one.values.get("host") for one in faults(site)}
    assert told["configure.missing"] == second
    assert any(code.startswith("document.") for code in told)
    assert check_inventory(site)[0] is None


@pytest.mark.parametrize("name", NEEDED)
def test_each_needed_variable_that_is_missing_is_named_where_it_belongs(
    site: Site, name: str
) -> None:
    for file in (site.directory / "ansible").rglob("*.yaml"):
        said = yaml.safe_load(file.read_text())
        said.pop(name, None)
        for group in said.get("all", {}).get("children", {}).values():
            group["hosts"].get("pve3", {}).pop(name, None)
        file.write_text(yaml.safe_dump(said))
    told = [one for one in faults(site) if one.code == "configure.missing"]
    assert told, "nothing was told"
    assert all(one.values["name"] == name and one.file for one in told)
    if name.startswith(("node_", "ansible_")):
        (only,) = told
        line = (site.directory / "ansible/hosts.yaml").read_text().splitlines()[only.line - 2]  # type: ignore[operator]
        assert only.values["host"] == "pve3"
        assert line.strip() == "pve3:"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("node_address", "10.20.1.0/24", "configure.interface"),
        ("node_address", "10.20.1.13", "configure.interface"),
        ("node_pool_disks", ["/dev/sdb"], "configure.disk"),
        ("node_ports", ["eno1; reboot"], "configure.card"),
        ("node_ports", ["eno1", "eno1"], "configure.twice"),
        ("node_rings", ["10.20.2.13"], "document.too-few"),
        ("node_rings", ["10.20.2.13", "10.99.0.1"], "configure.ring"),
        ("node_rings", ["10.20.2.11", "10.20.3.13"], "configure.taken"),
        ("ansible_host", "pve3 -oProxyCommand=id", "configure.server"),
        ("site_zone", "Asia/Makassar", "configure.zone"),
        ("site_gateway", "10.21.1.1", "configure.gateway"),
        ("site_admin_networks", ["0.0.0.0/0"], "configure.admin-network"),
        ("pve_major", 7, "document.choice"),
        ("node_ringz", ["10.20.2.13"], "configure.unknown-variable"),
        ("base_journal_sise", "1G", "configure.unknown-variable"),
        ("base_ntp_servers", "ntp1.example.go.id", "configure.role-type"),
        ("storage_scrub", True, "configure.role-type"),
        ("maintenance_restart", "often", "configure.role-choice"),
        ("maintenance_restart", "{{ site_restart }}", None),
        ("network_links", [{"name": "eno3", "addres": "10.0.0.1/24"}], "configure.role-part"),
        ("network_links", [{"name": "eno3"}], "configure.role-lacks"),
    ],
)  # fmt: skip
def test_each_slip_is_told_at_the_value_it_is_in(
    site: Site, name: str, value: object, code: str | None
) -> None:
    said = hosts_of(site)
    said["all"]["children"]["dc"]["hosts"]["pve3"][name] = value
    write_hosts(site, said)
    if code is None:
        assert not faults(site)
        return
    found = [one for one in faults(site) if one.code == code]
    assert found, faults(site)
    assert str(found[0].file).endswith("hosts.yaml")
    lines = (site.directory / "ansible/hosts.yaml").read_text().splitlines()
    first = next(at for at, line in enumerate(lines, 1) if line.strip() == "pve3:")
    last = next(at for at, line in enumerate(lines, 1) if line.strip() == "pve4:")
    if code != "configure.taken":  # told at the second of the two
        assert first <= (found[0].line or 0) <= last


def test_a_role_s_own_variables_and_ansible_s_are_let_through(site: Site) -> None:
    said = hosts_of(site)
    host = said["all"]["children"]["dc"]["hosts"]["pve3"]
    host |= {"base_journal_size": "1G", "ansible_user": "root"}
    write_hosts(site, said)
    assert not faults(site)


def test_groups_are_the_site_s_clusters(site: Site) -> None:
    said = hosts_of(site)
    said["all"]["children"]["dcc"] = said["all"]["children"].pop("dc")
    write_hosts(site, said)
    codes = {one.code for one in faults(site)}
    assert {"configure.no-group", "configure.group", "configure.file-of-nobody"} <= codes


@pytest.mark.parametrize(
    ("group", "name", "code"),
    [("backup_servers", "ansible_host", "configure.missing"),
     ("desk", "ansible_host", "configure.missing"),
     ("desk", "cloudpemda_wheels", "configure.no-program")],
)  # fmt: skip
def test_machines_of_no_cluster_need_few_variables_and_each_is_named(
    site: Site, group: str, name: str, code: str
) -> None:
    file = site.directory / "ansible/group_vars" / f"{group}.yaml"
    file.write_text(file.read_text().replace(f"{name}:", f"# {name}:"))
    said = hosts_of(site)
    first = next(iter(said["all"]["children"][group]["hosts"].values()))
    first.pop(name, None)
    write_hosts(site, said)
    (only,) = faults(site)
    assert only.code == code
    if code == "configure.missing":
        first["ansible_connection"] = "local"
        write_hosts(site, said)
        assert not faults(site)


def test_files_of_the_desk_are_looked_for(site: Site) -> None:
    said = hosts_of(site)
    said["all"]["children"]["desk"]["hosts"]["desk1"]["cloudpemda_wheel"] = "dist/none.whl"
    write_hosts(site, said)
    (only,) = faults(site)
    assert (only.code, only.values["file"]) == ("configure.no-file", "dist/none.whl")
    assert only.line


def test_a_directory_of_variables_is_read_beside_its_vault(site: Site) -> None:
    place = site.directory / "ansible/group_vars"
    (place / "dc").mkdir()
    (place / "dc.yaml").rename(place / "dc/vars.yaml")
    (place / "dc/vault.yaml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3")
    assert not faults(site)
    (place / "nobody").mkdir()
    (place / "nobody/vars.yaml").write_text("site_gateway: 10.20.1.1\n")
    assert [one.code for one in faults(site)] == ["configure.file-of-nobody"]


def test_an_endpoint_of_no_server_is_told(site: Site) -> None:
    said = hosts_of(site)
    del said["all"]["children"]["drc"]["hosts"]["drc3"]
    write_hosts(site, said)
    (only,) = faults(site)
    assert only.code == "configure.endpoint"
    assert only.values["endpoint"] == "https://drc3.example.go.id:8006"


def test_an_even_number_of_servers_needs_a_vote_from_outside(site: Site) -> None:
    (site.directory / "ansible/group_vars/dc.yaml").write_text("site_gateway: 10.20.1.1\n")
    (only,) = faults(site)
    assert (only.code, only.values["count"]) == ("configure.qdevice", "10")


def test_files_that_a_vault_keeps_are_left_to_ansible(site: Site) -> None:
    place = site.directory / "ansible/group_vars"
    (place / "dc").mkdir()
    (place / "dc.yaml").rename(place / "dc/vars.yaml")
    for name in ("vault.yaml", "more"):
        (place / "dc" / name).write_text("$ANSIBLE_VAULT;1.1;AES256\n3")
    assert not faults(site)
    assert [one.name for one in load_inventory(site).sealed] == ["more", "vault.yaml"]
    (place / "dc_vault.yaml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3")
    assert [one.code for one in faults(site)] == ["configure.file-of-nobody"]


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("more.yaml", "all: {}\n", "configure.file-unread"),  # a second inventory
        ("hosts.ini", "[dc]\nn9\n", "configure.file-unread"),
        ("group_vars/all/deep/x.yaml", "site_mail: a@b.id\n", "configure.file-unread"),
        ("group_vars/drc.json", "{}\n", "configure.file-second"),
        ("group_vars/dc/more.yaml", "{}\n", "configure.file-second"),  # dc.yaml is unread then
        ("group_vars/backup_servers.yml", "backup_server_path: /srv/x\n", "configure.file-second"),
        ("host_vars/pve1.txt", "cluster_options: {}\n", "configure.file-unread"),
        ("group_vars/.dc.yaml.swp", "\0", None),
        ("group_vars/README.md", "notes\n", None),
        ("host_vars/pve1.yaml", "storage_secrets: {pbs: abc}\n", "configure.plain-secret"),
        ("host_vars/pve1.yaml", "ansible_become_password: abc\n", "configure.plain-secret"),
        ("host_vars/pve1.yaml", "storage_secrets: {pbs: '{{ vault_pbs }}'}\n", None),
    ],
)
def test_nothing_is_read_by_ansible_that_nobody_checked(
    site: Site, file: str, text: str, code: str | None
) -> None:
    place = site.directory / "ansible" / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    told = {(one.code, one.file) for one in faults(site)}
    if code is None:
        assert not told
    else:
        assert code in {one for one, _ in told}
        assert all(str(site.directory / "ansible") in (file or "") for _, file in told)


@pytest.mark.parametrize("kind", ["link", "fifo", "latin"])
def test_a_file_that_cannot_be_read_is_all_that_is_told(site: Site, kind: str) -> None:
    file = site.directory / "ansible/group_vars/all.yaml"
    kept = file.read_bytes()
    file.unlink()
    match kind:
        case "link":
            file.symlink_to("/nowhere")
        case "fifo":
            os.mkfifo(file)
        case "latin":
            file.write_bytes(kept + b"# caf\xe9\n")
    (only,) = faults(site)
    assert only.code.startswith(("document.", "configure.file-"))
    assert only.file == str(file)


def test_what_all_servers_lack_is_told_once(site: Site) -> None:
    (site.directory / "ansible/group_vars/drc.yaml").unlink()
    (only,) = faults(site)
    assert only.values == {"name": "site_gateway", "host": "drc1, drc2, drc3"}
    assert (only.file or "").endswith("group_vars/drc.yaml")


def test_servers_stand_apart(site: Site) -> None:
    said = hosts_of(site)
    groups = said["all"]["children"]
    groups["drc"]["hosts"]["drc1"]["ansible_host"] = "10.20.1.11"
    groups["desk"]["hosts"]["pve2"] = {"ansible_host": "10.20.1.12"}
    links = groups["dc"]["hosts"]["pve3"]["node_links"]
    links[0]["name"], links[1]["name"] = "eno2", "eno2"
    write_hosts(site, said)
    (site.directory / "ansible/group_vars/drc.yaml").write_text("site_gateway: 10.21.1.12\n")
    told = sorted((one.code, str(one.values.get("host"))) for one in faults(site))
    assert told == [
        ("configure.card-twice", "pve3"), ("configure.gateway-own", "drc2"),
        ("configure.host-twice", "pve2"), ("configure.taken", "drc1"),
    ]  # fmt: skip


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_tags_of_a_playbook_are_known(playbook: str) -> None:
    tags = tags_of(playbook)
    assert tags > {"all"}
    assert "nothing" not in tags


def test_hostile_files_are_faults_and_nothing_else(site: Site) -> None:
    (site.directory / "ansible/hosts.yaml").write_text("all: !!python/object:os.system {}\n")
    with pytest.raises(InvalidInput):
        load_inventory(site)
    (site.directory / "ansible/hosts.yaml").write_text("all: [1, 2]\n")
    assert faults(site)
    (site.directory / "ansible/hosts.yaml").unlink()
    assert [one.code for one in faults(site)] == ["configure.no-inventory"]


@pytest.mark.parametrize("name", ["purwakarta", "vagrant"])
def test_the_sites_that_ship_have_sound_inventories(name: str) -> None:
    assert check_inventory(load_site(PURWAKARTA.parent / name))[1] == ()


def test_the_vagrantfile_and_its_inventory_name_the_same_machines() -> None:
    """… and put corosync on networks of its own."""
    text = (PURWAKARTA.parents[1] / "Vagrantfile").read_text()
    machines = dict(re.findall(r"'(\w+)' => (\d+)", text))
    networks = dict(re.findall(r"(\w+): '([\d.]+)'", text))
    inventory = load_inventory(load_site(PURWAKARTA.parent / "vagrant"))
    said = {
        host.name: (host.text("ansible_host"), host.texts("node_rings"))
        for hosts in inventory.hosts.values()
        for host in hosts
    }
    rings = {
        name: tuple(f"{networks[ring]}.{last}" for ring in ("ring0", "ring1"))
        for name, last in machines.items()
    }
    assert said == {
        name: (f"{networks['service']}.{last}", () if name == "pbs1" else rings[name])
        for name, last in machines.items()
    }
