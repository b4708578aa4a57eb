"""Named value formats of PVE's API, in PVE's own words."""

import ipaddress
import re
from collections.abc import Callable

from cloudpemda.lab.calendar import CalendarError, parse


class Misformed(Exception):
    """The text PVE puts behind `invalid format - `; where PVE's ends in a newline, so does this."""


LOOKS = "value does not look like a valid "
LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
NAME = r"[A-Za-z0-9.\-_]+"
REALM = rf"[A-Za-z]{NAME}"
DNS = rf"({LABEL}\.)*{LABEL}"
EMAIL = r"[\w+\-~]+(\.[\w+\-~]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*"
STORAGE = r"[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]"
VOLUME = [(rf"(?s)/.*|none|cdrom|{STORAGE}:\S.*", "unable to parse volume ID '{}'")]
RESOURCE = [(rf"[a-z]+:{NAME}|\d+", LOOKS + "ha resource id")]
CPU_BUILTIN = (
    r"(host|max|kvm32|kvm64|qemu32|qemu64|pentium[23]?|486|athlon|coreduo|core2duo|phenom"
    r"|x86-64-v[234](-AES)?|Conroe|Penryn|Nehalem|Westmere|SandyBridge|IvyBridge|Haswell|Broadwell"
    r"|Skylake|Cascadelake|Cooperlake|Icelake|KnightsMill|SapphireRapids|SierraForest|GraniteRapids"
    r"|ClearwaterForest|Opteron_G[1-5]|EPYC)(-[A-Za-z0-9-]+)?"
)

# What a value must match, and what PVE says of one that does not: `{}` stands for the value.
PATTERNS: dict[str, list[tuple[str, str]]] = {
    "pve-vmid": [(r"[1-9][0-9]{2,8}", LOOKS + "VM ID")],
    "pve-node": [(LABEL, LOOKS + "node name")],
    "pve-storage-id": [(STORAGE, "storage ID '{}' contains illegal characters")],
    "pve-poolid": [
        (r"[^/]*(/[^/]*){0,2}", "pool name '{}' nested too deeply (max levels = 3)"),
        (rf"{NAME}(/{NAME})*", "pool name '{}' contains invalid characters"),
    ],
    "pve-userid": [(rf"[^\s:/]+@{REALM}", "value '{}' does not look like a valid user name")],
    "pve-tokenid": [
        (rf"[^\s:/]+@{REALM}!{REALM}", "value '{}' does not look like a valid token ID")
    ],
    "pve-groupid": [(NAME, "group name '{}' contains invalid characters")],
    "pve-roleid": [(NAME, "role name '{}' contains invalid characters")],
    "pve-realm": [(REALM, "realm '{}' contains invalid characters")],
    "pve-configid": [(r"[a-zA-Z][a-zA-Z0-9_-]+", "invalid configuration ID '{}'")],
    "pve-sdn-zone-id": [(r".{,8}", "zone ID '{}' can't be more length than 8 characters")],
    "pve-sdn-vnet-id": [(r".{,8}", "vnet ID '{}' can't be more length than 8 characters")],
    "dns-name": [(DNS, LOOKS + "DNS name")],
    "email": [(EMAIL, LOOKS + "email address")],
    "email-or-username": [(rf"{EMAIL}|[\w.@-]+", LOOKS + "email address or user name")],
    "urlencoded": [(r"[-%a-zA-Z0-9_.!~*'()]*", "invalid urlencoded string: {}")],
    "pve-tag": [(r"[a-zA-Z0-9_][a-zA-Z0-9_\-+.]*", "invalid characters in tag")],
    "pve-storage-content": [
        ("images|rootdir|vztmpl|iso|backup|snippets|import|none", "invalid content type '{}'")
    ],
    "pve-storage-path": [(r"/\S*", LOOKS + "absolute path")],
    "mac-addr": [(r"[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}", LOOKS + "unicast MAC address")],
    "pve-volume-id": VOLUME,
    "pve-volume-id-or-qm-path": VOLUME,
    "pve-volume-id-or-absolute-path": VOLUME,
    "disk-size": [(r"\d+(\.\d+)?[KMGT]?", LOOKS + "disk size: {}")],
    "pve-replication-job-id": [
        (r"[1-9][0-9]{0,8}-\d{1,9}", "invalid replication job id '{}'"),
        (r"\d{3,}-.*", "invalid replication job id '{}' (guest IDs < 100 are reserved)"),
    ],
    "pve-startup-order": [
        (r",*(\s*((order=)?\d+|(up|down)=\d+)\s*(,+|$))*", "unable to parse startup options")
    ],
    "pve-ha-resource-or-vm-id": RESOURCE,
    "pve-ha-resource-id": RESOURCE,
    "pve-ha-group-node": [(rf"{LABEL}(:\d+)?", LOOKS + "ha group node")],
    "pve-ha-node": [(rf"{LABEL}(:\d+)?", LOOKS + "ha node")],
    "pve-bridge-id": [(r"[-_.\w]+", "invalid bridge ID '{}'")],
    "pve-iface": [(r"[a-zA-Z][a-zA-Z0-9_.:\-]{1,20}", "invalid network interface name '{}'")],
}


def _version(address: str, *, network: bool = False) -> int:
    """4 or 6, of an address or of an address with its network; 0 when it is none."""
    try:
        read = ipaddress.ip_interface if network else ipaddress.ip_address
        return read(address).version if network == ("/" in address) else 0
    except ValueError:
        return 0


# What needs more than a pattern.
CHECKS: dict[str, tuple[Callable[[str], object], str]] = {
    "ip": (_version, LOOKS + "IP address"),
    "ipv4": (lambda value: _version(value) == 4, LOOKS + "IPv4 address"),
    "ipv6": (lambda value: _version(value) == 6, LOOKS + "IPv6 address"),
    "address": (
        lambda value: _version(value) or re.fullmatch(DNS, value),
        LOOKS + "address: {}",
    ),
    "CIDR": (lambda value: _version(value, network=True), LOOKS + "CIDR network"),
    "pve-ipv4-config": (
        lambda value: value in ("dhcp", "manual") or _version(value, network=True) == 4,
        LOOKS + "ipv4 network configuration",
    ),
    "pve-ipv6-config": (
        lambda value: value in ("dhcp", "auto", "manual") or _version(value, network=True) == 6,
        LOOKS + "ipv6 network configuration",
    ),
}


def check_named(name: str, value: str, privileges: frozenset[str]) -> None:
    """Raise `Misformed` when `value` is not of the format; formats not known here accept all."""
    base, items = name, [value]
    if name.endswith("-list"):
        base, items = name.removesuffix("-list"), split_list(value)
    elif name.endswith("-opt"):
        base, items = name.removesuffix("-opt"), [value] if value else []
    for item in items:
        if fault := _fault(base, item, privileges):
            raise Misformed(fault.replace("{}", item) + "\n")


def _fault(name: str, value: str, privileges: frozenset[str]) -> str:
    """What is wrong with one value, "" for nothing."""
    if name == "pve-priv":
        return "" if value in privileges else "invalid privilege '{}'"
    if name == "pve-calendar-event":
        return _calendar(value)
    if name == "pve-vm-cpu-conf":
        return _cpu(value)
    if name in CHECKS:
        test, text = CHECKS[name]
        return "" if test(value) else text
    rules = PATTERNS.get(name, [])
    return next((text for pattern, text in rules if not re.fullmatch(pattern, value)), "")


def _calendar(value: str) -> str:
    try:
        parse(value)
    except CalendarError as error:
        return f"invalid calendar event '{{}}' - {error}\n"
    return ""


def _cpu(value: str) -> str:
    parts = [part.partition("=") for part in value.split(",") if part]
    model = next((v if eq else k for k, eq, v in parts if not eq or k == "cputype"), "")
    if model.startswith("custom-") or re.fullmatch(CPU_BUILTIN, model):
        return ""
    return f"Built-in cputype '{model}' is not defined (missing 'custom-' prefix?)"


def split_list(text: str) -> list[str]:
    """PVE's lists: separated by commas, semicolons, white space or NUL."""
    return [part for part in re.split(r"[,;\s\0]+", text) if part]
