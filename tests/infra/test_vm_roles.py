"""Roles of VMs on booted hosts, by the door that `vm configure` uses."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from cloudpemda.configure.vms import RoleRun, VmHost, Way, play_role
from cloudpemda.lab.process import RunningLab
from tests.acceptance.command import Command
from tests.infra.conftest import Hosts
from tests.scenarios.conftest import running_site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

WEB = {"serverName": "simrs.example.go.id"}
DATABASE = {"database": "simrs"}


def vm(
    hosts: Hosts,
    name: str,
    settings: Mapping[str, str],
    uid: str = "",
    key: str | None = None,
    user: str = "root",
) -> VmHost:
    return VmHost(
        uid=uid or f"uid-{name}", key=f"dinkes/simrs/{name}", address=hosts.bed.address(name),
        user=user, settings=tuple(sorted(settings.items())), networks=("10.77.10.0/24",),
        host_key=key,
    )  # fmt: skip


def play(
    hosts: Hosts, place: Path, role: str, vms: Sequence[VmHost], *, rehearsal: bool = False
) -> RoleRun:
    way = Way(hosts.bed.key, hosts.bed.ssh_config)
    done = play_role(
        role, vms, way, place, lambda *_: None, lambda: False, rehearsal=rehearsal
    )  # fmt: skip
    assert not list(place.iterdir()), "a run's artefacts were left"
    return done


def changes(done: RoleRun) -> int:
    assert done.sound, (done.said, [one for one in done.hosts if one.failed or one.unreachable])
    return sum(len(one.changed) for one in done.hosts)


def test_a_web_server_is_rehearsed_set_up_and_left_alone(hosts: Hosts, tmp_path: Path) -> None:
    one = vm(hosts, "n3", WEB)  # where no other test has left a web server
    assert changes(play(hosts, tmp_path, "nginx", [one], rehearsal=True)) > 0
    assert not hosts.bed.reaches("n3", 80)
    assert changes(play(hosts, tmp_path, "nginx", [one])) > 0
    hosts.bed.run("n3", "echo selamat datang > /var/www/cloudpemda/index.html")
    asked = (
        "import urllib.request as r; a=r.urlopen('http://10.77.10.3/'); print(a.headers, a.read())"
    )
    # Who was told to read his settings anew answers by the old ones for a moment.
    hosts.bed.wait_for("n2", f'python3 -c "{asked}" | grep -q selamat')
    answer = hosts.bed.run("n2", f'python3 -c "{asked}"')
    assert "selamat datang" in answer
    assert "Server: nginx\n" in answer, "its version is told"
    assert changes(play(hosts, tmp_path, "nginx", [one])) == 0
    assert changes(play(hosts, tmp_path, "nginx", [one], rehearsal=True)) == 0


def test_a_database_has_its_owner_whom_the_vms_networks_reach_with_a_password(
    hosts: Hosts, tmp_path: Path
) -> None:
    hosts.bed.account("n2", "debian", "debian ALL=(ALL) NOPASSWD:ALL")  # as in the vendor's image
    one = vm(hosts, "n2", DATABASE, user="debian")
    assert changes(play(hosts, tmp_path, "postgresql", [one], rehearsal=True)) > 0
    assert changes(play(hosts, tmp_path, "postgresql", [one])) > 0
    owner = "SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid=d.datdba "
    owner += "WHERE d.datname='simrs' AND NOT r.rolsuper"
    assert hosts.bed.run("n2", f'cd /; runuser -u postgres -- psql -Atc "{owner}"') == "simrs\n"
    ask = "psql -w -h 10.77.10.2 -Atc 'SELECT 1' simrs simrs"
    assert hosts.bed.run("n1", f"PGPASSWORD=x {ask} 2>&1 || true").count("password") > 0
    hosts.bed.run("n2", "cd /; runuser -u postgres -- psql -c \"ALTER ROLE simrs PASSWORD 'x'\"")
    assert hosts.bed.run("n1", f"PGPASSWORD=x {ask}") == "1\n"
    assert changes(play(hosts, tmp_path, "postgresql", [one])) == 0
    assert changes(play(hosts, tmp_path, "postgresql", [one], rehearsal=True)) == 0


def test_the_first_host_key_is_the_only_one(hosts: Hosts, tmp_path: Path) -> None:
    first = play(hosts, tmp_path, "nginx", [vm(hosts, "n3", {})], rehearsal=True)
    key = first.host_keys["uid-n3"]
    assert key.split()[1] in hosts.bed.run("n3", "cat /etc/ssh/ssh_host_*_key.pub")
    known = vm(hosts, "n3", {}, key=key)
    other = " ".join(hosts.bed.key.with_suffix(".pub").read_text().split()[:2])
    stranger = vm(hosts, "n2", {}, key=other)  # another host stands at its address
    gone = VmHost("uid-gone", "dinkes/simrs/x", "10.77.10.99", "root", (), (), None)
    done = play(hosts, tmp_path, "nginx", [known, stranger, gone], rehearsal=True)
    assert [(one.unreachable, one.host_key_changed) for one in done.hosts] == [
        (False, False), (True, True), (True, False),
    ]  # fmt: skip
    assert not done.sound
    assert dict(done.host_keys) == {}


def test_text_of_an_opd_reaches_no_template_and_no_shell(hosts: Hosts, tmp_path: Path) -> None:
    """Past the request, which takes none of these: what else stands between is tried alone."""
    mark = Path(f"/tmp/{hosts.bed.tag}-was-here")  # noqa: S108 - what must not come to be
    texts = (
        f"{{{{ lookup('pipe','touch {mark}') }}}}",
        f"{{% set x = lookup('pipe','touch {mark}') %}}",
        f"$(touch {mark})", f"`touch {mark}`", f"'; touch {mark} #", f'"; touch {mark} #',
        f"x\n    when: lookup('pipe','touch {mark}')", f"x; }} touch {mark};", "-h", "x\n",
        "!unsafe x", "x'x",
    )  # fmt: skip
    for role, setting in (("nginx", "serverName"), ("postgresql", "database")):
        bad = [vm(hosts, "n3", {setting: text}, uid=f"u{at}") for at, text in enumerate(texts)]
        done = play(hosts, tmp_path, role, bad)
        assert [len(one.failures) for one in done.hosts] == [1] * len(texts), done
        assert {one.failures[0][1].split(" or ")[0] for one in done.hosts} == {
            f"vm_{role}_{'server_name' if role == 'nginx' else 'database'}"
        }
        assert not any(one.changed for one in done.hosts)
    assert not mark.exists()
    assert hosts.bed.run("n3", f"ls {mark} 2>/dev/null || true") == ""


@pytest.fixture
def office(hosts: Hosts, tmp_path: Path) -> Iterator[tuple[Path, RunningLab]]:
    """The lab's site as one of real clusters, whose first VM of BKAD is the booted host n1."""
    with running_site(tmp_path / "site") as (site, lab):
        nodes = json.loads((site / "var/lab/endpoints.json").read_text())["clusters"]["dc"]["nodes"]
        files = {name: yaml.safe_load((site / name).read_text()) for name in _FILES}
        files["site.yaml"]["clusters"]["dc"]["endpoints"] = list(nodes.values())
        files["site.yaml"]["configure"]["sshConfig"] = "secrets/ssh_config"
        (site / "secrets").mkdir(mode=0o700)
        way = (line for line in hosts.bed.ssh_config.read_text().splitlines() if "Proxy" in line)
        (site / "secrets/ssh_config").write_text("\n".join(["Host *", *way]) + "\n")
        files["site.yaml"]["networks"]["bkad-app"] |= {
            "cidr": "10.77.10.0/24", "gateway": "10.77.10.254",
            "reserved": ["10.77.10.4-10.77.10.253"],
        }  # fmt: skip
        files["catalogue.yaml"]["images"]["debian-12"]["dc"]["user"] = "root"
        request = files["requests/simkeu.yaml"]
        for part, name in ((request["metadata"]["letter"], "date"), (request["spec"], "until")):
            part[name] = str(part[name])
        request["spec"]["vms"][0] |= {
            "roles": ["nginx", "postgresql"], "nginx": {"proxyPort": 8080},
            "postgresql": {"database": "simkeu"},
        }  # fmt: skip
        for name, said in files.items():
            (site / name).write_text(json.dumps(said))
        yield site, lab


def test_what_a_request_says_is_set_up_in_its_vm_and_in_no_other(
    hosts: Hosts, office: tuple[Path, RunningLab]
) -> None:
    site, lab = office
    command, key, vm_key = Command(site), "bkad/simkeu", "bkad/simkeu/app-1"
    command.must("rudi", "nodes", "key")
    command.must("nina", "request", "submit", str(site / "requests/simkeu.yaml"))
    command.must("hendra", "request", "approve", key)
    command.must("rudi", "apply", key)
    ((vmid, vm),) = lab.get("/state")["dc"]["vms"].items()
    silent = command("rudi", "vm", "configure", vm_key)
    assert (silent.code, set(silent.codes)) == (5, {"configure.vm-unreachable"})
    assert "survey.roles-unreachable" in command("rudi", "status").codes

    # As cloud-init does it in a VM.
    keys = hosts.bed.place / "n1-root/root/.ssh/authorized_keys"
    keys.write_text(keys.read_text() + unquote(vm["config"]["sshkeys"]) + "\n")
    done = command.must("rudi", "vm", "configure", key)
    assert [(one["role"], one["result"]) for one in done["outcomes"]] == [
        ("nginx", "done"), ("postgresql", "done"),
    ]  # fmt: skip
    assert done["new_host_keys"] == [vm_key]
    assert "proxy_pass http://127.0.0.1:8080;" in hosts.bed.run("n1", "nginx -T 2>/dev/null")
    assert not [one for one in command("rudi", "status").codes if one.startswith("survey.roles")]
    (_, entry) = sorted(command.must("rudi", "audit", "log", "--action", "vm.configured"), key=_seq)
    assert entry["details"]["nginx"].startswith("done, ")
    assert not list((site / "var/run").iterdir())

    said = vm["config"]["description"].replace("uid=", "uid=0")
    body = {"cluster": "dc", "action": "change-vm", "vmid": int(vmid)}
    lab.post("/outside", {**body, "set": {"description": said}})
    hosts.bed.run("n1", "rm /etc/nginx/sites-enabled/cloudpemda")
    other = command("rudi", "vm", "configure", vm_key)
    assert (other.code, set(other.codes)) == (4, {"apply.foreign"})
    assert not hosts.on("n1").file("/etc/nginx/sites-enabled/cloudpemda").exists


_FILES = ("site.yaml", "catalogue.yaml", "requests/simkeu.yaml")


def _seq(entry: Mapping[str, int]) -> int:
    return entry["seq"]
