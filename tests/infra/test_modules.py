"""Our own Ansible modules, as far as they are functions of texts."""

import importlib.util
from pathlib import Path
from types import ModuleType

import ansible.module_utils
import pytest
import yaml

from cloudpemda.proxmox.rights import ROLE, role_privileges

LIBRARY = Path(__file__).parents[2] / "playbooks" / "library"
OFF = ["enterprise.proxmox.com"]


# Where Ansible finds what modules share; its configuration says so when it runs.
ansible.module_utils.__path__.append(str(LIBRARY.parent / "module_utils"))


def _module(name: str, place: str = "library") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, LIBRARY.parent / place / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_LINE = "deb https://enterprise.proxmox.com/debian/pve bookworm pve-enterprise\n"
_OURS = "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: trixie\n"
_THEIRS = "Types: deb\nURIs: https://enterprise.proxmox.com/debian/pve\nSuites: trixie\n"
_FOLDED = "Types: deb\nURIs: http://a.example\n https://enterprise.proxmox.com/x\nSuites: trixie\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (_LINE, "# off: " + _LINE),
        ("# " + _LINE, "# " + _LINE),
        ("deb http://deb.debian.org/debian bookworm main\n" + _LINE,
         "deb http://deb.debian.org/debian bookworm main\n# off: " + _LINE),
    ],
)  # fmt: skip
def test_lines_of_one_source_are_switched_off(before: str, after: str) -> None:
    module = _module("apt_entries")
    assert module.without_lines(before, OFF) == after
    assert module.without_lines(after, OFF) == after
    assert module.with_lines(after, OFF) == before
    assert module.with_lines(before, OFF) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (_THEIRS, "Enabled: no\n" + _THEIRS),
        (_OURS + "\n" + _THEIRS + "\n" + _OURS,
         _OURS + "\nEnabled: no\n" + _THEIRS + "\n" + _OURS),
        ("Enabled: yes\n" + _THEIRS, "Enabled: no\n" + _THEIRS),
        (_FOLDED, "Enabled: no\n" + _FOLDED),
        (_OURS + "# see https://enterprise.proxmox.com\n",
         _OURS + "# see https://enterprise.proxmox.com\n"),
    ],
    ids=["alone", "between", "enabled", "folded", "comment"],
)  # fmt: skip
def test_stanzas_of_one_source_are_switched_off(before: str, after: str) -> None:
    module = _module("apt_entries")
    assert module.without_stanzas(before, OFF) == after
    assert module.without_stanzas(after, OFF) == after
    again = module.with_stanzas(after, OFF)
    assert again == before.removeprefix("Enabled: yes\n")
    assert module.with_stanzas(again, OFF) == again


def test_a_firmware_that_starts_signed_kernels_alone_is_known(tmp_path: Path) -> None:
    probe = _module("vendor_probe")
    assert not probe.secure_boot(tmp_path)  # a BIOS has no such variables
    variable = tmp_path / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    for held, on in ((b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\x00", False), (b"\x06", False)):
        variable.write_bytes(held)
        assert probe.secure_boot(tmp_path) is on


def test_all_faults_of_a_node_are_told() -> None:
    probe = _module("node_probe")
    node = {
        "ports": [{"port": 5405, "by": 'users:(("nc",pid=7))'}],
        "cards": ["eno1", "nic0"],
        "peers": [{"address": "10.0.0.2", "ms": 7.5}, {"address": "10.0.0.3", "ms": 0.2}],
        "links": [],
        "guests": ["qemu-server/100"],
        "member": False,
        "disks": [
            {"path": "/dev/sdb", "there": True, "holds": ["ext4"], "own": False, "unused": False},
            {"path": "/dev/sdc", "there": True, "holds": [], "own": True, "unused": False},
            {"path": "/dev/sdd", "there": True, "holds": [], "own": False, "unused": False},
        ],
        "pool_disks": ["/dev/sdc", "/dev/sde"],
    }
    asked = {"mtu": 1500, "latency_ms": 5.0, "pool": "tank", "cards": ["eno1", "eno2"]}
    told: list[str] = [*probe.connections(node, asked), *probe.contents(node, asked)]
    assert told.pop(0).startswith("eno2 is no network card of this server, which has eno1, nic0: ")
    assert len(told) == 5
    assert told[0].startswith("10.0.0.2 answers after 7.5 ms, 5 ms are allowed")
    assert "UDP 5405" in told[1]
    assert "qemu-server/100 would be lost" in told[2]
    assert "/dev/sdb holds ext4" in told[3]
    assert "/dev/sdd is not in the pool tank that this node has already, on /dev/sdc" in told[4]
    node["member"] = True  # its guests are where they belong
    assert len([*probe.contents(node, asked)]) == 2


def test_what_is_wrong_with_a_backup_server_is_told() -> None:
    probe = _module("backup_probe")
    asked = {"datastore": "main", "path": "/proc", "own_disk": True}

    def placed(name: str, path: str) -> list[str]:
        return [*probe.place(asked, [{"name": name, "path": path}])]

    assert placed("main", "/proc") == []
    assert "main lies in /srv" in placed("main", "/srv")[0]
    assert "is datastore old already" in placed("old", "/proc")[0]
    told = [*probe.place({**asked, "path": "/usr"}, [])]
    assert "holds bin, " in told[-1]
    assert [*probe.kept({"keep-daily": 14})] == []
    assert len([*probe.kept({"keep-days": 14})]) == 2
    other = {"host": "10.0.0.9", "fingerprint": ":".join(["AB"] * 32), "auth_id": "sync@pbs!drc"}
    same = ":".join(["ab"] * 32)
    assert [*probe.copies(other, [], same, secret=True)] == []
    assert [*probe.copies(other, [{"name": "cloudpemda"}], None, secret=False)] == []
    assert "does not answer on TCP 8007" in next(iter(probe.copies(other, [], None, secret=True)))
    wrong = {**other, "fingerprint": "ab:cd", "auth_id": "root"}
    assert len([*probe.copies(wrong, [], same, secret=False)]) == 3


def test_what_is_wrong_with_the_desk_s_machine_is_told() -> None:
    probe = _module("desk_probe")
    seen = {"clock_off_seconds": 0.1, "python": [3, 11], "systemd": True, "free_mib": 900,
            "installed": False, "wheels": False}  # fmt: skip
    asked = {"clock_seconds": 30.0, "home": "/opt/cloudpemda", "wheels": "", "mib": 500}
    assert [*probe.amiss(seen, asked)] == []
    poor = {**seen, "clock_off_seconds": -90.0, "python": [3, 9], "systemd": False, "free_mib": 3}
    assert len([*probe.amiss(poor, {**asked, "wheels": "/srv/wheels"})]) == 5


def test_what_is_wrong_with_a_machine_to_be_monitored_is_told() -> None:
    probe = _module("monitoring_probe")
    own = 'LISTEN 0 4096 *:9100 *:* users:(("prometheus-node",pid=7,fd=3))\n'
    seen = {"sockets": own, "addresses": ["10.0.0.1"], "in_the_way": "", "mail": True,
            "pools": False}  # fmt: skip
    asked = {"listen": ":9100", "textfiles": "/var/lib/x", "mail": "noc@example.go.id",
             "disks": True, "site": "regency", "looking": False,
             "coming": ["10.0.0.2"]}  # fmt: skip
    assert [*probe.amiss(seen, asked)] == []
    assert [*probe.amiss(seen, {**asked, "listen": "10.0.0.1:9100"})] == []
    silent = {**seen, "mail": False}
    assert [*probe.awaited(seen, asked), *probe.awaited(silent, {**asked, "disks": False})] == []
    (told,) = probe.awaited({**silent, "pools": True}, {**asked, "disks": False})
    assert "failing pools are told" in told
    other = 'LISTEN 0 5 10.0.0.1:9100 0.0.0.0:* users:(("python3",pid=9,fd=3))\n'
    poor = {**silent, "sockets": other, "in_the_way": "/var/lib"}
    wrong = {**asked, "listen": "10.0.0.2:9100", "mail": "", "site": "../x"}
    told = [*probe.amiss(poor, wrong)]
    assert len(told) == 5
    assert len([*probe.amiss(poor, {**wrong, "looking": True})]) == 4  # its address is to come
    assert told[1].startswith("TCP 9100 is held by python3: stop it")


@pytest.mark.parametrize(
    ("comes_from", "networks", "told"),
    [
        ("10.20.9.7", ["10.20.9.0/24"], ""),
        ("::ffff:10.20.9.7", ["10.20.9.0/24"], ""),
        ("", ["10.20.9.0/24"], ""),  # unknown is no reason to refuse
        ("10.20.8.7", ["10.20.9.0/24", "2001:db8::/32"], "you come from 10.20.8.7"),
        ("2001:db8::7", ["10.20.9.0/24"], "you come from 2001:db8::7"),
        ("10.20.9.7", ["10.20.9.0/240"], "10.20.9.0/240 is no network"),
    ],
)
def test_who_would_shut_himself_out_is_told(
    comes_from: str, networks: list[str], told: str
) -> None:
    probe = _module("door_probe")
    said = [*probe.amiss(True, comes_from, ["/root/keys"], networks)]
    assert "".join(said).startswith(told)
    assert len(said) == bool(told)
    assert "/root/keys has no key" in "".join(probe.amiss(False, "", ["/root/keys"], networks))


def test_where_a_connection_comes_from_is_known_behind_sudo(tmp_path: Path) -> None:
    probe = _module("door_probe")
    came = b"PATH=/bin\0SSH_CONNECTION=10.20.9.7 50010 10.20.1.11 22\0"
    for pid, parent, said in ((30, 20, b"SUDO_USER=op\0"), (20, 10, came), (10, 1, b"")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "environ").write_bytes(said)
        (tmp_path / str(pid) / "status").write_text(f"Name:\tsh\nPPid:\t{parent}\nUid:\t0\n")
    assert probe.whence({}, tmp_path, 30) == "10.20.9.7"
    assert probe.whence({}, tmp_path, 10) == ""
    assert probe.whence({}, tmp_path, 99) == ""
    assert probe.whence({"SSH_CONNECTION": "10.20.9.8 1 2 3"}, tmp_path, 30) == "10.20.9.8"


def test_packages_that_are_known_and_not_installed_are_lacking() -> None:
    probe = _module("package_probe")
    shown = "chrony installed\nlibc6:amd64 installed\nauditd config-files\nnginx half-installed\n"
    names = ["chrony", "libc6", "auditd", "nginx", "unheard-of"]
    assert probe.lacking(names, shown) == ["auditd", "nginx", "unheard-of"]


def test_what_is_there_is_compared_by_meaning() -> None:
    api = _module("vendor_api", "module_utils")
    there = {"content": "rootdir,images", "sparse": 1, "nodes": "n1,n2"}
    assert api.different({"content": ["images", "rootdir"], "sparse": True}, there) == {}
    assert api.different({"nodes": ["n1"], "disable": False}, there) == {"nodes": ["n1"]}
    assert api.words({"a": True, "b": ["x", 1], "c": {"type": "secure"}}) == [
        "--a", "1", "--b", "x,1", "--c", "type=secure"
    ]  # fmt: skip


def test_options_of_the_datacenter_are_merged_by_key_and_part() -> None:
    api = _module("vendor_api", "module_utils")
    there = {"keyboard": "en-us", "migration": {"type": "insecure", "network": "10.0.0.0/8"}}
    assert api.merged({"migration": {"type": "secure"}}, there) == {
        "migration": {"type": "secure", "network": "10.0.0.0/8"}
    }
    assert api.merged({"migration": {"network": "10.0.0.0/8"}}, there) == {}
    assert (
        api.merged({"ha": {"shutdown_policy": "migrate"}}, {"ha": "shutdown_policy=migrate"}) == {}
    )
    assert api.merged({"language": "en"}, there) == {"language": "en"}


_GIB = 1024**3
_MOST = f"options zfs zfs_arc_max={8 * _GIB}\n"
_LEAST = f"options zfs zfs_arc_min={4 * _GIB}\n"


@pytest.mark.parametrize(
    ("before", "memory_gib", "after"),
    [
        ("", 64, _MOST),
        ("options zfs zfs_arc_max=99\n", 64, _MOST),
        ("", 256, _LEAST + _MOST),  # 1/32 of it is not below the limit
        (_LEAST + f"options zfs zfs_arc_max={9 * _GIB}\n", 256, _LEAST + _MOST),
        (f"# mine\noptions zfs zfs_arc_min={8 * _GIB} zfs_txg_timeout=9 zfs_arc_max=1\n", 64,
         f"# mine\noptions zfs zfs_txg_timeout=9\n{_LEAST}{_MOST}"),
        ("options zfs zfs_arc_min=7 zfs_txg_timeout=9\n", 64,
         f"options zfs zfs_arc_min=7 zfs_txg_timeout=9\n{_MOST}"),
    ],
    ids=["none", "other", "large", "small again", "least in the way", "least aside"],
)  # fmt: skip
def test_a_limit_of_the_cache_is_one_that_zfs_takes(
    before: str, memory_gib: int, after: str
) -> None:
    limits = _module("zfs_limits", "module_utils")
    assert limits.limited(before, 8 * _GIB, memory_gib * _GIB) == after
    assert limits.limited(after, 8 * _GIB, memory_gib * _GIB) == after


@pytest.mark.parametrize(
    ("gib", "memory_mib", "told"),
    [
        (8, 12 * 1024, ""),
        (8, 7900, "Write storage_arc_gib: 1 for it"),
        (64, 61 * 1024, "Write storage_arc_gib: 6 for it"),
        (0, 64 * 1024, "storage_arc_gib is 0, this machine has 64.0 GiB"),
        (1, 900, "this machine has 900 MiB of memory, a pool needs more"),
    ],
)
def test_a_limit_of_the_cache_that_zfs_would_leave_aside_is_told(
    gib: int, memory_mib: int, told: str
) -> None:
    said = [*_module("zfs_limits", "module_utils").unfit(gib, memory_mib * 1024**2)]
    assert len(said) == bool(told)
    assert told in "".join(said)


def test_a_limit_of_the_cache_is_set_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = _module("zfs_cache")
    monkeypatch.setattr(cache, "SETTINGS", tmp_path)
    monkeypatch.setattr(cache, "COUNTS", tmp_path / "arcstats")
    assert cache.now() is None  # without the kernel module
    (tmp_path / "zfs_arc_max").write_text("0")
    (tmp_path / "arcstats").write_text(f"c_min   4    {8 * _GIB}\nc_max   4    {128 * _GIB}\n")
    assert cache.now() == (8 * _GIB, 128 * _GIB)
    cache.take(9 * _GIB, 8 * _GIB)
    assert not (tmp_path / "zfs_arc_min").exists()
    cache.take(8 * _GIB, 8 * _GIB)
    assert (tmp_path / "zfs_arc_min").read_text() == str(4 * _GIB)
    assert (tmp_path / "zfs_arc_max").read_text() == str(8 * _GIB)


def test_a_member_is_one_that_sees_itself_in_a_quorum() -> None:
    member = _module("pve_member")
    assert member.seen([{"type": "node", "name": "n1", "online": 1}]) == ("", False, {"n1": True})
    assert member.arguments("dc", "10.0.0.1", ["10.0.0.2", "10.1.0.2"]) == [
        "pvecm", "add", "10.0.0.1", "--link0", "10.0.0.2,priority=20",
        "--link1", "10.1.0.2,priority=10", "--use_ssh",
    ]  # fmt: skip


@pytest.mark.parametrize("major", [8, 9])
def test_the_role_of_the_automation_has_what_the_doctor_asks_for(major: int) -> None:
    said = yaml.safe_load(
        (LIBRARY.parent / "roles/access/defaults/main.yml").read_text(encoding="utf-8")
    )
    assert sorted(said["access_common"] + said["access_of"][major]) == [*role_privileges(major)]
    assert said["access_role"] == ROLE


_NODES = [{"type": "node", "name": f"n{one}", "online": 1} for one in (1, 2, 3)]
_HEAD = {"type": "cluster", "name": "dc", "quorate": 1}
_RESTING = [{"type": "lrm", "node": "n2", "status": "n2 (maintenance mode, Sat Nov 21 20:21:24)"}]


def test_a_node_may_leave_only_what_stands_without_it() -> None:
    health = _module("pve_health")
    assert health.amiss("n1", [_HEAD, *_NODES], [], third_vote=False) == []
    assert health.amiss("n2", [_HEAD, *_NODES], _RESTING, third_vote=False) == []
    assert (
        "n2 is in maintenance"
        in health.amiss("n1", [_HEAD, *_NODES], _RESTING, third_vote=False)[0]
    )
    two = [_HEAD, *_NODES[:2]]
    assert "1 of 2 votes are left" in health.amiss("n1", two, [], third_vote=False)[0]
    assert health.amiss("n1", two, [], third_vote=True) == []
    assert health.amiss("n1", [_NODES[0]], [], third_vote=False) == []  # alone


def test_a_third_place_votes_when_every_node_says_so() -> None:
    votes = _module("pve_votes")
    one = "0x00000001          1    A,V,NMW 10.0.0.1 (local)\n"
    blind = "0x00000002          1  A,NV,NMW 10.0.0.2\n"
    casts = "0x00000000          1            Qdevice\n"
    assert votes.amiss(one + casts) == []
    assert votes.amiss("0x00000001          1 10.0.0.1 (local)\n") == ["it is not set up"]
    assert votes.amiss(one + blind + casts) == ["10.0.0.2 does not see it vote (A,NV,NMW)"]
    assert votes.amiss(one + "0x00000000          0            Qdevice (votes 1)\n") == [
        "it casts no vote"
    ]


def test_a_node_is_well_when_all_of_it_is() -> None:
    health = _module("pve_health")
    names = ("corosync", "pve-cluster", "pvedaemon", "pveproxy", "pvestatd")
    running = [{"service": name, "state": "running"} for name in names]
    well = [_HEAD, *_NODES]
    assert health.unwell("n1", well, running, "tank\tONLINE\n") == []
    assert "pool tank is not healthy" in health.unwell("n1", well, running, "tank\tDEGRADED\n")[0]
    assert "corosync does not run" in health.unwell("n1", well, running[1:], "")[0]
    assert health.unwell("n1", [_NODES[0]], running[1:], "") == []  # alone it needs no corosync
    assert health.newest(["6.8.4-2-pve", "6.8.12-10-pve", "6.8.12-9-pve"]) == "6.8.12-10-pve"
