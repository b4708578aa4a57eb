"""A real corosync ring of the hosts: what pmxcfs spreads, and what its members do with it.

The configuration lies beside the state that the hosts share; a watch on each brings a new one in.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

CONF, KEY = Path("/etc/corosync/corosync.conf"), Path("/etc/corosync/authkey")


def quorum() -> tuple[bool, set[int]]:
    """Whether this host sees a quorum, and the ids of the nodes that it sees."""
    said = subprocess.run(
        ["corosync-quorumtool", "-s"], capture_output=True, text=True, check=False
    ).stdout
    seen = {int(one) for one in re.findall(r"^\s+(\d+)\s+\d+\s", said, re.M)}
    return "Quorate:          Yes" in said, seen


def spread(home: Path, state: dict[str, Any], name: str) -> None:
    """corosync.conf for all members, beside the state, as pmxcfs spreads it."""
    members = {who: one for who, one in state["members"].items() if one["cluster"] == name}
    entries = "".join(
        f"  node {{\n    name: {who}\n    nodeid: {one['nodeid']}\n    quorum_votes: 1\n"
        + "".join(f"    ring{n}_addr: {address}\n" for n, address in enumerate(one["links"]))
        + "  }\n"
        for who, one in members.items()
    )
    interfaces = "".join(
        f"  interface {{\n    linknumber: {number}\n    knet_link_priority: {priority}\n  }}\n"
        for number, priority in enumerate(state["priorities"])
    )
    if not (home / "authkey").exists():
        (home / "authkey").write_bytes(os.urandom(256))
    made = home / "corosync.new"
    made.write_text(
        f"totem {{\n  version: 2\n  cluster_name: {name}\n  config_version: {len(members)}\n"
        # Longer than the usual 3 s: a host of a busy machine may stand still for some.
        f"  transport: knet\n  link_mode: passive\n  secauth: on\n  token: 10000\n{interfaces}}}\n"
        f"nodelist {{\n{entries}}}\nquorum {{\n  provider: corosync_votequorum\n}}\n"
        "logging {\n  to_syslog: yes\n}\n"
    )
    made.replace(home / "corosync.conf")


def take(home: Path, me: str) -> None:
    """What pmxcfs and corosync do on a member when the configuration changes."""
    made = home / "corosync.conf"
    if not made.exists() or f"name: {me}\n" not in made.read_text():
        return
    known = CONF.exists() and KEY.exists() and KEY.read_bytes() == (home / "authkey").read_bytes()
    KEY.write_bytes((home / "authkey").read_bytes())
    KEY.chmod(0o400)
    new = CONF.with_suffix(".new")  # another member's reload may read it at any time
    new.write_text(made.read_text())
    new.replace(CONF)
    if known and not subprocess.run(["corosync-cfgtool", "-R"], check=False).returncode:
        return
    if subprocess.run(["systemctl", "restart", "corosync"], check=False).returncode:
        CONF.unlink()  # the watch comes again


def watch(home: Path, me: str) -> None:
    """A watch that brings each new configuration in."""
    named = f"grep -qs 'name: {me}$' {home}/corosync.conf"
    new = f"! cmp -s {home}/corosync.conf {CONF}"
    loop = f"while sleep 1; do if {named} && {new}; then {home}/program take-ring; fi; done"
    subprocess.run(["systemd-run", "--quiet", "--unit=fake-ring", "sh", "-c", loop], check=True)
