"""Our own Ansible modules, as far as they are functions of texts."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

LIBRARY = Path(__file__).parents[2] / "playbooks" / "library"
OFF = ["enterprise.proxmox.com"]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, LIBRARY / f"{name}.py")
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


def test_all_faults_of_a_node_are_told() -> None:
    probe = _module("node_probe")
    node = {
        "ports": [{"port": 5405, "by": 'users:(("nc",pid=7))'}],
        "peers": [{"address": "10.0.0.2", "ms": 7.5}, {"address": "10.0.0.3", "ms": 0.2}],
        "links": [],
        "guests": ["qemu-server/100"],
        "member": False,
        "disks": [
            {"path": "/dev/sdb", "there": True, "holds": ["ext4"]},
            {"path": "/dev/sdc", "there": True, "holds": []},
        ],
    }
    asked = {"mtu": 1500, "latency_ms": 5.0}
    told = [*probe.connections(node, asked), *probe.contents(node, asked)]
    assert len(told) == 4
    assert told[0].startswith("10.0.0.2 answers after 7.5 ms, 5 ms are allowed")
    assert "UDP 5405" in told[1]
    assert "qemu-server/100 would be lost" in told[2]
    assert "/dev/sdb holds ext4" in told[3]
    node["member"] = True  # its guests are where they belong
    assert len([*probe.contents(node, asked)]) == 1
