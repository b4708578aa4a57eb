"""Named value formats of PVE's API, in PVE's own words."""

import ipaddress
import re
from collections.abc import Callable

from cloudpemda.lab.calendar import CalendarError, parse
from cloudpemda.lab.tables import formats


class Misformed(Exception):
    """The text PVE puts behind `invalid format - `; where PVE's ends in a newline, so does this."""


LOOKS = "value does not look like a valid "


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
        lambda value: _version(value) or not _misses("dns-name", value),
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
            raise Misformed(fault + "\n")


def _fault(name: str, value: str, privileges: frozenset[str]) -> str:
    """What is wrong with one value, "" for nothing."""
    if name == "pve-priv":
        return "" if value in privileges else f"invalid privilege '{value}'"
    if name == "pve-calendar-event":
        return _calendar(value)
    if name == "pve-vm-cpu-conf":  # of a property string only the model is looked at
        parts = [part.partition("=") for part in value.split(",") if part]
        value = next((v if eq else k for k, eq, v in parts if not eq or k == "cputype"), "")
    test, text = CHECKS.get(name, (None, ""))
    fault = _misses(name, value) if test is None else "" if test(value) else text
    return fault.replace("{}", value)


def _misses(name: str, value: str) -> str:
    """What PVE says of a value that does not match what its format's patterns ask for."""
    rules = formats().patterns.get(name, [])
    return next((text for pattern, text in rules if not re.fullmatch(pattern, value)), "")


def _calendar(value: str) -> str:
    try:
        parse(value)
    except CalendarError as error:
        return f"invalid calendar event '{value}' - {error}\n"
    return ""


def split_list(text: str) -> list[str]:
    """PVE's lists: separated by commas, semicolons, white space or NUL."""
    return [part for part in re.split(r"[,;\s\0]+", text) if part]
