"""The inventory of a run on VMs: what stands in it reaches no template; by what ssh knows each."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cloudpemda.configure.vms import Files, VmHost, Way, inventory_of

FILES = Files(Path("/var/a b/known"), Path("/run/s"))
HOSTILE = ("{{ lookup('pipe','id') }}", "{% raw %}", "$(id)", "a\nb: c", "'", '"', "!x", "- y", "é")


def vm(uid: str, text: str, host_key: str | None = None) -> VmHost:
    return VmHost(uid, f"a/b/{uid}", "10.0.0.1", text, (("database", text),), (text,), host_key)


def texts(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """Every value, but no key of a mapping."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from texts(one)
    elif isinstance(node, yaml.MappingNode):
        for _, one in node.value:
            yield from texts(one)


@pytest.mark.parametrize("text", HOSTILE)
def test_every_text_is_marked_as_data_and_stays_what_it_was(text: str) -> None:
    said = inventory_of("postgresql", [vm("u1", text)], Way(Path("/k")), FILES)
    found = [*texts(yaml.compose(said, Loader=yaml.CSafeLoader))]
    assert {node.tag for node in found} == {"!unsafe"}
    assert [node.value for node in found].count(text) == 3  # user, database, network


def test_a_vm_is_known_by_its_uid_and_after_the_first_time_by_its_key() -> None:
    way = Way(Path("/k"), Path("/etc/a b"))
    said = inventory_of("postgresql", [vm("u1", "x"), vm("u2", "x", "A")], way, FILES)
    hosts = yaml.load(said.replace("!unsafe ", ""), Loader=yaml.CSafeLoader)["vms"]["hosts"]
    new, known = (shlex.split(hosts[uid]["ansible_ssh_args"]) for uid in ("u1", "u2"))
    assert new[:2] == ["-F", "/etc/a b"]
    assert {"HostKeyAlias=u1", "StrictHostKeyChecking=accept-new", "ForwardAgent=no"} <= {*new}
    assert {"HostKeyAlias=u2", "StrictHostKeyChecking=yes"} <= {*known}
    assert 'UserKnownHostsFile="/var/a b/known"' in new
    ways_in = [word for word in (*new, *known) if word.startswith("ControlPath=")]
    assert len({*ways_in}) == 2, "two VMs share a way in, past the look at a host key"
