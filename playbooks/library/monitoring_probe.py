"""Looks at a machine before it is monitored; changes nothing itself."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: monitoring_probe
short_description: Look at a machine before it is monitored
description: Looks at the port of the node exporter, its directory, and the way that mails take.
options:
  listen: {description: Address and port of the node exporter., type: str, required: true}
  textfiles: {description: Directory of further metrics., type: str, required: true}
  mail: {description: Who is told of failing disks., type: str, required: true}
  disks: {description: Whether disks are watched., type: bool, default: true}
  looking: {description: Whether what later steps bring is told apart., type: bool, default: false}
  coming: {description: Addresses that later steps bring., type: list, elements: str, default: []}
  site: {description: Site whose metrics are handed on; or empty., type: str, default: ''}
author: cloudpemda
"""

EXPORTER = "prometheus-node"
"""What the kernel says of the exporter's process: names are cut at 15 characters."""
_LISTEN = re.compile(r"(?P<address>[0-9.]*|\[[0-9a-fA-F:]*\]):(?P<port>[0-9]{1,5})")


def holders(shown: str, port: int) -> list[str]:
    """Which programs of `ss -Hltnp` hold a TCP port; `?` is one that is not named."""
    held = []
    for line in shown.splitlines():
        words = line.split()
        if len(words) > 3 and words[3].rpartition(":")[2] == str(port):
            found = re.search(r'users:\(\("([^"]+)"', line)
            held.append(found.group(1) if found else "?")
    return held


def amiss(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong, each with what to do next."""
    fits = _LISTEN.fullmatch(asked["listen"])
    port = int(fits["port"]) if fits else 0
    if not 0 < port < 65536:
        yield (
            f"monitoring_listen is {asked['listen']}: write it as :9100, or 10.20.1.11:9100 for "
            "one address alone"
        )
    address = fits["address"].strip("[]") if fits else ""
    known = {"", "::", "0.0.0.0", *seen["addresses"]}  # noqa: S104
    if address not in known | (set(asked["coming"]) if asked["looking"] else set()):
        yield (
            f"monitoring_listen names {address}, which this machine does not have: correct it, or "
            "write :9100 for all of its addresses"
        )
    others = sorted({one for one in holders(seen["sockets"], port) if one[:15] != EXPORTER})
    if others:
        yield (
            f"TCP {port} is held by {', '.join(others)}: stop it, or take another port "
            "(monitoring_listen)"
        )
    place = asked["textfiles"]
    if not place.startswith("/") or re.search(r"""[\s"'$\\]""", place):
        yield f"monitoring_textfiles is {place}: write a whole path without blanks and quotes"
    elif seen["in_the_way"]:
        yield (
            f"{seen['in_the_way']} is no directory, so that {place} cannot be one: move it away, "
            "or correct monitoring_textfiles"
        )
    if asked["site"] and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", asked["site"]) is None:
        yield (
            f"monitoring_site is {asked['site']}: it is the name of a directory below "
            "/etc/cloudpemda"
        )
    if re.fullmatch(r"[^\s@\"',;]+@[^\s@\"',;]+", asked["mail"]) is None:
        yield (
            f"monitoring_mail is {asked['mail'] or 'empty'}: set site_mail to an address, as "
            "noc@example.go.id"
        )


def awaited(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """What must be there when it is monitored, and is nobody's fault before."""
    if (asked["disks"] or seen["pools"]) and not seen["mail"]:
        watched = " and ".join(
            what for what, is_so in (("disks", asked["disks"]), ("pools", seen["pools"])) if is_so
        )
        yield (
            f"the program mail is not here, by which failing {watched} are told: apt install "
            "bsd-mailx, and a mail system that reaches out (postfix)"
            + ("; or set monitoring_disks: false in a virtual machine" if asked["disks"] else "")
        )


def blocked(path: str) -> str:
    """What stands where a directory must be, on the way to a path; empty when nothing does."""
    for one in (Path(path), *Path(path).parents):
        if one.exists():
            return "" if one.is_dir() else str(one)
    return ""


def said(*command: str) -> str:
    """What a command printed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "listen": {"type": "str", "required": True},
            "textfiles": {"type": "str", "required": True},
            "mail": {"type": "str", "required": True},
            "disks": {"type": "bool", "default": True},
            "looking": {"type": "bool", "default": False},
            "coming": {"type": "list", "elements": "str", "default": []},
            "site": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    asked = module.params
    try:
        shown = said("ss", "-Hltnp")
        addresses = re.findall(r"inet6? ([0-9a-fA-F.:]+)", said("ip", "-o", "address", "show"))
    except (OSError, subprocess.CalledProcessError) as error:
        module.fail_json(msg=f"ports and addresses cannot be seen: {error}. apt install iproute2")
    seen = {
        "sockets": shown,
        "addresses": addresses,
        "in_the_way": blocked(asked["textfiles"]),
        "mail": shutil.which("mail") is not None,
        "pools": Path("/etc/zfs/zed.d/zed.rc").exists(),
    }
    later = list(awaited(seen, asked))
    faults = [*amiss(seen, asked), *([] if asked["looking"] else later)]
    module.exit_json(changed=False, faults=faults, later=later if asked["looking"] else [])


if __name__ == "__main__":
    main()
