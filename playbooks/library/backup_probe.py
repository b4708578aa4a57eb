"""Looks at a backup server before anything is changed; changes nothing itself.

All that is wrong is told at once, each with what to do next.
"""

import hashlib
import os
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.machine import clock
from ansible.module_utils.vendor_api import Api, below_root, lost

DOCUMENTATION = r"""
module: backup_probe
short_description: Look at a backup server before it gets its datastore
description: Reads the API, the place of the datastore, the token and the other server.
options:
  sent: {description: The controller's clock when the task was sent, seconds., type: float, required: true}
  clock_seconds: {description: How far the clock may be off., type: float, default: 30}
  datastore: {description: Name of the datastore., type: str, required: true}
  path: {description: Its directory., type: path, required: true}
  own_disk: {description: Whether it must lie on another file system than the root., type: bool, default: true}
  keep: {description: What is kept., type: dict, default: {}}
  tokens: {description: Each with its user and its name as token., type: list, elements: dict, required: true}
  files: {description: The file of each one's secret., type: list, elements: str, required: true}
  kept: {description: Whether each of these files is there., type: list, elements: bool, required: true}
  renew: {description: Whether tokens whose secret is lost may be made anew., type: bool, default: false}
  looking: {description: Whether what later steps bring is told apart., type: bool, default: false}
  sync: {description: Where copies are fetched from., type: dict, default: {}}
  sync_secret: {description: Whether its secret is there., type: bool, default: false}
  sync_from: {description: Which of the inventory's servers that is; or empty., type: str, default: ''}
  others: {description: The inventory's other backup servers., type: list, elements: str, default: []}
  together: {description: Whether that one is played together with this., type: bool, default: false}
author: cloudpemda
"""  # noqa: E501

_KEEP = ("keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
_FINGERPRINT = re.compile(r"([0-9a-f]{2}:){31}[0-9a-f]{2}")


def fingerprint_of(host: str, port: int = 8007) -> str | None:
    """The certificate's fingerprint as Proxmox writes it; None when nobody answered."""
    try:
        shown = ssl.get_server_certificate((host, port), timeout=10)
    except (OSError, ValueError):
        return None
    return _fingerprint(shown)


def _fingerprint(pem: str) -> str:
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    return ":".join(found[at : at + 2] for at in range(0, len(found), 2))


def place(asked: Mapping[str, Any], stores: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with the datastore and where it shall lie."""
    name, path = asked["datastore"], asked["path"]
    own = next((one for one in stores if one.get("name") == name), None)
    if own is not None:
        if own.get("path") != path:
            yield (
                f"datastore {name} lies in {own.get('path')}, the inventory says {path}: correct "
                "backup_server_path; a datastore cannot be moved"
            )
        return
    other = next((one for one in stores if one.get("path") == path), None)
    if other is not None:
        yield f"{path} is datastore {other.get('name')} already: correct backup_server_datastore"
        return
    if asked["own_disk"] and below_root(path):
        yield (
            f"{path} would lie on the root's file system, which full backups bring down: mount a "
            "disk there first (proxmox-backup-manager disk fs create or zpool create), or set "
            "backup_server_own_disk: false"
        )
    held = sorted(one for one in listed(path) if one != "lost+found" and one[0] != ".")
    if held:
        yield f"{path} holds {', '.join(held[:3])} and is no datastore: empty it, or take another"


def listed(path: str) -> list[str]:
    """What is in a directory; nothing where there is none."""
    try:
        return os.listdir(path)
    except OSError:
        return []


def kept(keep: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with what is kept: nothing of it would be a rule to forget everything."""
    unknown = sorted(set(keep) - set(_KEEP))
    if unknown:
        yield f"backup_server_keep has {', '.join(unknown)}; there are {', '.join(_KEEP)}"
    if not any(str(keep.get(one, "")).isdigit() and int(keep[one]) > 0 for one in _KEEP):
        yield "backup_server_keep keeps nothing: say how many, as keep-daily: 14"


def own_fingerprint(file: Path = Path("/etc/proxmox-backup/proxy.pem")) -> str:
    """The fingerprint of the certificate that this server shows; empty where there is none."""
    try:
        held = file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
    found = _PEM.search(held)
    return _fingerprint(found[0]) if found else ""


def among(asked: Mapping[str, Any], known: bool) -> Iterator[str]:
    """What is wrong with a server of the inventory that copies are fetched from."""
    other = asked["sync_from"]
    if other not in asked["others"]:
        listed = ", ".join(asked["others"]) or "none"
        yield f"backup_server_sync_from is {other}: name another host of backup_servers ({listed})"
    elif not known and not asked["sync_secret"] and not asked["together"]:
        yield (
            f"{other} has made no token for this server yet: play backup_server on both, without "
            "--limit"
        )
    elif not known and fingerprint_of(str(asked["sync"]["host"])) is None:
        yield (
            f"{other} does not answer at {asked['sync']['host']} on TCP 8007: look at the firewall "
            "between, or set backup_server_address there"
        )


def copies(
    sync: Mapping[str, Any], remotes: list[dict[str, Any]], seen: str | None, *, secret: bool
) -> Iterator[str]:
    """What is wrong with the other server; one that is known already may be away just now."""
    if not sync or any(one.get("name") == "cloudpemda" for one in remotes):
        return
    wanted = str(sync.get("fingerprint", "")).lower()
    host = sync.get("host")
    if not secret:
        yield "backup_server_sync_secret is empty: put the secret of auth_id into the vault"
    if "@" not in str(sync.get("auth_id", "")):
        yield f"backup_server_sync.auth_id is {sync.get('auth_id')}: write it as sync@pbs!drc"
    if _FINGERPRINT.fullmatch(wanted) is None:
        yield (
            "backup_server_sync.fingerprint is not 32 pairs of digits: take it from "
            "`proxmox-backup-manager cert info` there"
        )
    elif seen is None:
        yield f"{host} does not answer on TCP 8007: look at its address and the firewall between"
    elif seen != wanted:
        yield f"{host} shows the fingerprint {seen}, the inventory says {wanted}: find out why"


def known(api: Api, asked: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with what the server has already."""
    yield from place(asked, api.get("/config/datastore") or [])
    if not asked["renew"]:
        yield from lost(api, asked, "backup_server_renew")


def other(api: Api, asked: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the other server, which may be built only after this one."""
    sync = asked["sync"]
    remotes = (api.get("/config/remote") or []) if sync else []
    if asked["sync_from"]:
        yield from among(asked, any(one.get("name") == "cloudpemda" for one in remotes))
        return
    seen = fingerprint_of(str(sync["host"])) if sync.get("host") else None
    yield from copies(sync, remotes, seen, secret=asked["sync_secret"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "sent": {"type": "float", "required": True},
            "clock_seconds": {"type": "float", "default": 30.0},
            "datastore": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "own_disk": {"type": "bool", "default": True},
            "keep": {"type": "dict", "default": {}},
            "tokens": {"type": "list", "elements": "dict", "required": True, "no_log": False},
            "files": {"type": "list", "elements": "str", "required": True},
            "kept": {"type": "list", "elements": "bool", "required": True},
            "renew": {"type": "bool", "default": False},
            "looking": {"type": "bool", "default": False},
            "sync": {"type": "dict", "default": {}},
            "sync_secret": {"type": "bool", "default": False, "no_log": False},
            "sync_from": {"type": "str", "default": ""},
            "others": {"type": "list", "elements": "str", "default": []},
            "together": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    asked = module.params
    faults = [
        *clock(time.time() - asked["sent"], asked["clock_seconds"]),
        *kept(asked["keep"]),
    ]
    later: list[str] = []
    if not Path("/etc/proxmox-backup").is_dir() or not module.get_bin_path("proxmox-backup-debug"):
        later.append(
            "Proxmox Backup Server is not installed: `cloudpemda nodes configure proxmox` does "
            "that on Debian (or take the vendor's image); then run once more"
        )
    else:
        api = Api(module, "pbs")
        faults += known(api, asked)
        later += other(api, asked)
    if not asked["looking"]:
        faults, later = faults + later, []
    shown = fingerprint_of(str(asked["sync"]["host"])) if asked["sync_from"] else None
    module.exit_json(
        changed=False, faults=faults, later=later, fingerprint=own_fingerprint(),
        shown=shown or "",
    )  # fmt: skip


if __name__ == "__main__":
    main()
