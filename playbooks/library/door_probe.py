"""Who would still come in once ssh refuses passwords and the firewall is up; changes nothing."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: door_probe
short_description: Look at who comes in, before others are kept out
description: Looks for a key that lets somebody in, and where the connection of now comes from.
options:
  keys: {description: Files of keys that let somebody in., type: list, elements: path, required: true}
  networks: {description: Networks or addresses that will be let in., type: list, elements: str, required: true}
author: cloudpemda
"""  # noqa: E501

_KEY = re.compile(r"^[^#]*(ssh-|ecdsa-|sk-)", re.MULTILINE)


def amiss(
    keyed: bool, comes_from: str, files: Sequence[str], networks: Sequence[str]
) -> Iterator[str]:
    """All that is wrong, each with what to do next; `comes_from` is empty where it is unknown."""
    wrong = [one for one in networks if not _is_network(one)]
    if wrong:
        yield f"{', '.join(wrong)} is no network: write it as 10.20.9.0/24"
    if not keyed:
        yield (
            f"{' and '.join(files)} has no key: whoever comes in by a password would be locked out "
            "now. Put a key there first: ssh-copy-id"
        )
    if not comes_from or wrong:
        return
    address = ip_address(comes_from)
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not any(address in ip_network(one, strict=False) for one in networks):
        yield (
            f"you come from {address}, which is in none of {', '.join(networks)}: put the network "
            "you come from into site_admin_networks"
        )


def _is_network(text: str) -> bool:
    try:
        return bool(ip_network(text, strict=False))
    except ValueError:
        return False


def whence(environ: Mapping[str, str], proc: Path, parent: int) -> str:
    """The address that this connection comes from; empty where it is unknown. sudo keeps the
    variable from us, and it stands with the processes that called us."""
    own = environ.get("SSH_CONNECTION", "").split()
    while not own and parent > 1:
        try:
            said = (proc / str(parent) / "environ").read_bytes()
            status = (proc / str(parent) / "status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        for one in said.split(b"\0"):
            name, _, value = one.decode(errors="replace").partition("=")
            if name == "SSH_CONNECTION":
                own = value.split()
        parent = int(next(iter(re.findall(r"^PPid:\s+(\d+)$", status, re.MULTILINE)), 0))
    return own[0] if own else ""


def keyed(files: Sequence[str]) -> bool:
    """Whether one of these files has a key."""
    for file in files:
        try:
            with open(file, encoding="utf-8", errors="replace") as opened:
                if _KEY.search(opened.read()):
                    return True
        except OSError:
            continue
    return False


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "keys": {"type": "list", "elements": "path", "required": True, "no_log": False},
            "networks": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    comes_from = whence(os.environ, Path("/proc"), os.getppid())
    faults = list(amiss(keyed(asked["keys"]), comes_from, asked["keys"], asked["networks"]))
    module.exit_json(changed=False, faults=faults)


if __name__ == "__main__":
    main()
