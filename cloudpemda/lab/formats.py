"""Named value formats of PVE's API, and its comma-separated property strings.

A check raises `Misformed` with PVE's own text; where PVE's text ends in a newline, so does this
one.
"""

import ipaddress
import re
from collections.abc import Callable

from cloudpemda.lab.calendar import CalendarError, parse


class Misformed(Exception):
    """The text PVE puts behind `invalid format - `."""


CONTENT_TYPES = ("images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none")
CPU_BUILTIN = re.compile(
    r"(host|max|kvm32|kvm64|qemu32|qemu64|pentium[23]?|486|athlon|coreduo|core2duo|phenom"
    r"|x86-64-v[234](-AES)?|Conroe|Penryn|Nehalem|Westmere|SandyBridge|IvyBridge|Haswell|Broadwell"
    r"|Skylake|Cascadelake|Cooperlake|Icelake|KnightsMill|SapphireRapids|SierraForest|GraniteRapids"
    r"|ClearwaterForest|Opteron_G[1-5]|EPYC)(-[A-Za-z0-9-]+)?"
)


def _matches(pattern: str, text: str, flags: int = 0) -> Callable[[str], None]:
    compiled = re.compile(pattern, flags)

    def check(value: str) -> None:
        if not compiled.fullmatch(value):
            raise Misformed(text.replace("%s", value) + "\n")

    return check


def _looks(pattern: str, what: str, flags: int = 0) -> Callable[[str], None]:
    return _matches(pattern, f"value does not look like a valid {what}", flags)


def _address(kinds: tuple[type, ...], what: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        try:
            found = ipaddress.ip_address(value)
        except ValueError:
            found = None
        if not isinstance(found, kinds):
            raise Misformed(f"value does not look like a valid {what}\n")

    return check


_IPS = (ipaddress.IPv4Address, ipaddress.IPv6Address)
DNS_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"


def _dns(value: str) -> None:
    if not re.fullmatch(rf"({DNS_LABEL}\.)*{DNS_LABEL}", value):
        raise Misformed("value does not look like a valid DNS name\n")


def _host(value: str) -> None:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        try:
            _dns(value)
        except Misformed:
            raise Misformed(f"value does not look like a valid address: {value}\n") from None


def _content(value: str) -> None:
    if value not in CONTENT_TYPES:
        raise Misformed(f"invalid content type '{value}'\n")


def _mac(value: str) -> None:
    if not re.fullmatch(r"[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}", value):
        raise Misformed("value does not look like a valid unicast MAC address\n")


def _volume(value: str) -> None:
    if value.startswith("/") or value in ("none", "cdrom"):
        return
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]:(\S.*)", value):
        raise Misformed(f"unable to parse volume ID '{value}'\n")


def _ipconfig(version: int) -> Callable[[str], None]:
    words = ("dhcp", "manual") if version == 4 else ("dhcp", "auto", "manual")

    def check(value: str) -> None:
        if value in words:
            return
        try:
            if "/" not in value or ipaddress.ip_interface(value).version != version:
                raise ValueError(value)
        except ValueError:
            raise Misformed(
                f"value does not look like a valid ipv{version} network configuration\n"
            ) from None

    return check


def _pool(value: str) -> None:
    if value.count("/") > 2:
        raise Misformed(f"pool name '{value}' nested too deeply (max levels = 3)\n")
    if not re.fullmatch(r"[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+)*", value):
        raise Misformed(f"pool name '{value}' contains invalid characters\n")


def _job(value: str) -> None:
    found = re.fullmatch(r"([1-9][0-9]{0,8})-(\d{1,9})", value)
    if not found:
        raise Misformed(f"invalid replication job id '{value}'\n")
    if int(found[1]) < 100:
        raise Misformed(f"invalid replication job id '{value}' (guest IDs < 100 are reserved)\n")


def _calendar(value: str) -> None:
    try:
        parse(value)
    except CalendarError as error:
        raise Misformed(f"invalid calendar event '{value}' - {error}\n\n") from None


def _startup(value: str) -> None:
    for part in filter(None, value.split(",")):
        if not re.fullmatch(r"(order=)?\d+|(up|down)=\d+", part.strip()):
            raise Misformed("unable to parse startup options\n")


def _cpu(value: str) -> None:
    parts = [part.partition("=") for part in value.split(",") if part]
    model = next((v if eq else k for k, eq, v in parts if not eq or k == "cputype"), "")
    if not model.startswith("custom-") and not CPU_BUILTIN.fullmatch(model):
        raise Misformed(f"Built-in cputype '{model}' is not defined (missing 'custom-' prefix?)\n")


def _tags(value: str) -> None:
    for tag in filter(None, re.split(r"[,;\s\0]+", value)):
        if not re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9_\-+.]*", tag):
            raise Misformed("invalid characters in tag\n")
    if re.search(r"[,;]\s*[^\w\s,;\-+.]|\$", value):
        raise Misformed("invalid characters in tag\n")


def _ha_sid(value: str) -> None:
    if not re.fullmatch(r"[a-z]+:[a-zA-Z0-9\-_.]+|\d+", value):
        raise Misformed("value does not look like a valid ha resource id\n")


EMAIL = r"[\w+\-~]+(\.[\w+\-~]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*"
CONFIG_ID = r"[a-zA-Z][a-zA-Z0-9_-]+"
STORAGE_ID = r"[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]"

FORMATS: dict[str, Callable[[str], None]] = {
    "pve-vmid": _looks(r"[1-9][0-9]{2,8}", "VM ID"),
    "pve-node": _looks(DNS_LABEL, "node name"),
    "pve-storage-id": _matches(STORAGE_ID, "storage ID '%s' contains illegal characters"),
    "pve-poolid": _pool,
    "pve-userid": _matches(
        r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+", "value '%s' does not look like a valid user name"
    ),
    "pve-tokenid": _matches(
        r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+",
        "value '%s' does not look like a valid token ID",
    ),
    "pve-groupid": _matches(r"[A-Za-z0-9.\-_]+", "group name '%s' contains invalid characters"),
    "pve-roleid": _matches(r"[A-Za-z0-9.\-_]+", "role name '%s' contains invalid characters"),
    "pve-realm": _matches(r"[A-Za-z][A-Za-z0-9.\-_]+", "realm '%s' contains invalid characters"),
    "pve-configid": _matches(CONFIG_ID, "invalid configuration ID '%s'"),
    "dns-name": _dns,
    "address": _host,
    "email": _looks(EMAIL, "email address"),
    "email-or-username": _looks(rf"{EMAIL}|[\w.@-]+", "email address or user name"),
    "urlencoded": _matches(r"[-%a-zA-Z0-9_.!~*'()]*", "invalid urlencoded string: %s"),
    "pve-tag-list": _tags,
    "pve-storage-content": _content,
    "pve-storage-path": _looks(r"/\S*", "absolute path"),
    "mac-addr": _mac,
    "pve-volume-id": _volume,
    "pve-volume-id-or-qm-path": _volume,
    "pve-volume-id-or-absolute-path": _volume,
    "pve-ipv4-config": _ipconfig(4),
    "pve-ipv6-config": _ipconfig(6),
    "ipv4": _address((ipaddress.IPv4Address,), "IPv4 address"),
    "ipv6": _address((ipaddress.IPv6Address,), "IPv6 address"),
    "ip": _address(_IPS, "IP address"),
    "pve-replication-job-id": _job,
    "pve-calendar-event": _calendar,
    "pve-startup-order": _startup,
    "pve-vm-cpu-conf": _cpu,
    "pve-ha-resource-or-vm-id": _ha_sid,
    "pve-ha-resource-id": _ha_sid,
    "pve-ha-group-node": _looks(rf"{DNS_LABEL}(:\d+)?", "ha group node"),
    "pve-ha-node": _looks(rf"{DNS_LABEL}(:\d+)?", "ha node"),
    "pve-bridge-id": _matches(r"[-_.\w]+", "invalid bridge ID '%s'"),
    "pve-iface": _matches(r"[a-zA-Z][a-zA-Z0-9_.:\-]{1,20}", "invalid network interface name '%s'"),
}


def check_named(name: str, value: str, privileges: frozenset[str]) -> None:
    """Raise `Misformed` when `value` is not of the format; formats not known here accept all."""
    if name == "pve-priv-list":
        for privilege in split_list(value):
            if privilege not in privileges:
                raise Misformed(f"invalid privilege '{privilege}'\n")
        return
    check = FORMATS.get(name)
    if check is not None:
        check(value)
    elif name.endswith("-list") and (item := FORMATS.get(name.removesuffix("-list"))):
        for part in split_list(value):
            item(part)
    elif name.endswith("-opt") and value and (item := FORMATS.get(name.removesuffix("-opt"))):
        item(value)


def split_list(text: str) -> list[str]:
    """PVE's lists: separated by commas, semicolons, white space or NUL."""
    return [part for part in re.split(r"[,;\s\0]+", text) if part]
