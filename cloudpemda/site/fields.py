"""Field types of the site's files: addresses, ranges, and the names that PVE allows.

Formats of PVE's names are those of its API schema (pve-storage-id, pve-poolid, pve-iface).
"""

import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

LEAST_VMID, MOST_VMID = 100, 999_999_999
"""PVE's own bounds for a VMID."""


def address_range(text: str) -> tuple[IPv4Address, IPv4Address]:
    """First and last address of `10.0.0.1-10.0.0.9` or `10.0.0.1`. Raises ValueError."""
    first, dash, last = text.partition("-")
    start = IPv4Address(first.strip())
    end = IPv4Address(last.strip()) if dash else start
    if end < start:
        raise ValueError(text)
    return start, end


def vmid_range(text: str) -> range:
    """The VMIDs of `10000-10999`. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{3,9})-([0-9]{3,9})", text)
    if found is None:
        raise ValueError(text)
    first, last = int(found[1]), int(found[2])
    if not LEAST_VMID <= first <= last <= MOST_VMID:
        raise ValueError(text)
    return range(first, last + 1)


def _lan(text: str) -> None:
    """A network that somebody can be in; PVE takes no rule for all of the world as one."""
    if IPv4Network(text).prefixlen == 0:
        raise ValueError(text)


def _parsed_by(parse: Callable[[str], object], code: str) -> AfterValidator:
    def check(value: str) -> str:
        try:
            parse(value)
        except (ValueError, ZoneInfoNotFoundError) as error:
            raise PydanticCustomError(code, "", {"value": value}) from error
        return value

    return AfterValidator(check)


def _matching(pattern: str, code: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def parse(value: str) -> None:
        if compiled.fullmatch(value) is None:
            raise ValueError(value)

    return _parsed_by(parse, code)


def _endpoints(value: object) -> object:
    if value == "lab":
        return value
    if not isinstance(value, tuple) or not value:
        raise PydanticCustomError("site.endpoints", "", {"value": str(value)})
    for url in value:
        if not isinstance(url, str) or not _is_endpoint(url):
            raise PydanticCustomError("site.endpoints", "", {"value": str(url)})
    return value


def _endpoint(value: object) -> object:
    if value != "lab" and not (isinstance(value, str) and _is_endpoint(value)):
        raise PydanticCustomError("site.endpoint", "", {"value": str(value)})
    return value


def _drc_method(value: object) -> object:
    if value not in get_args(_DrcMethod):
        raise PydanticCustomError("site.drc-method", "", {"value": str(value)})
    return value


def _thresholds(value: object) -> object:
    """One percentage, or several in rising order."""
    several = value if isinstance(value, tuple) else (value,)
    sound = all(isinstance(one, int) and not isinstance(one, bool) for one in several)
    if not sound or not several or list(several) != sorted(set(several)):
        raise PydanticCustomError("site.thresholds", "", {"value": str(value)})
    if not 1 <= several[0] <= several[-1] <= 100:
        raise PydanticCustomError("site.thresholds", "", {"value": str(value)})
    return several


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    return parts.scheme == "https" and bool(parts.hostname) and port is not None and bare


def _minute(value: object) -> datetime:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("site.minute", "", {"value": str(value)})


LocalMinute = Annotated[
    datetime,
    BeforeValidator(_minute),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d$"}),
]
"""A minute of the site's zone, without its offset: `2026-11-20 08:00`."""
Zone = Annotated[str, _parsed_by(ZoneInfo, "site.zone")]
Cidr = Annotated[str, _parsed_by(IPv4Network, "site.cidr")]
Lan = Annotated[str, _parsed_by(_lan, "site.cidr")]
Address = Annotated[str, _parsed_by(IPv4Address, "site.address")]
AddressRange = Annotated[str, _parsed_by(address_range, "site.address-range")]
VmidRange = Annotated[str, _parsed_by(vmid_range, "site.vmids")]
StorageId = Annotated[str, _matching(r"[A-Za-z][A-Za-z0-9\-_.]*[A-Za-z0-9]", "site.storage-id")]
Realm = Annotated[str, _matching(r"[A-Za-z][A-Za-z0-9._-]{1,31}", "site.realm")]
PveLogin = Annotated[str, _matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", "site.login")]
PoolId = Annotated[str, _matching(r"[A-Za-z0-9._-]{1,100}", "site.pool")]
Bridge = Annotated[str, _matching(r"[A-Za-z][A-Za-z0-9_]{1,20}", "site.bridge")]
Vnet = Annotated[str, _matching(r"[A-Za-z][A-Za-z0-9]{1,7}", "site.vnet")]
Account = Annotated[str, _matching(r"[A-Za-z0-9_][A-Za-z0-9_.@+\\$-]{0,63}", "site.login")]
"""A login of this machine; directory services allow more in one than Linux does."""
Login = Annotated[str, _matching(r"[a-z_][a-z0-9_.-]{0,31}", "site.login")]
TokenId = Annotated[str, _matching(r"[^\s:/!@]+@[A-Za-z][\w.-]+![A-Za-z][\w.-]+", "site.token")]
Fingerprint = Annotated[str, _matching(r"([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}", "site.fingerprint")]
TimeOfDay = Annotated[str, _matching(r"([01][0-9]|2[0-3]):[0-5][0-9]", "site.time-of-day")]
LedgerUrl = Annotated[str, _matching(r"(sqlite:///|postgresql\+psycopg://)\S+", "site.ledger-url")]
ImportVolume = Annotated[
    str, _matching(r"[A-Za-z][A-Za-z0-9\-_.]*:import/[A-Za-z0-9._+-]+", "site.import-volume")
]
Endpoints = Annotated[
    tuple[str, ...] | Literal["lab"],
    BeforeValidator(_endpoints),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "lab"},
                {"type": "array", "items": {"type": "string", "format": "uri"}, "minItems": 1},
            ]
        }
    ),
]
Endpoint = Annotated[
    str,
    BeforeValidator(_endpoint),
    WithJsonSchema(
        {"anyOf": [{"const": "lab"}, {"type": "string", "format": "uri", "pattern": "^https://"}]}
    ),
]
"""One server, e.g. `https://pbs1.example.go.id:8007`; or `lab`."""
Datastore = Annotated[str, _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{2,31}", "site.datastore")]
Namespace = Annotated[
    str, _matching(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*(?:/(?!$)|$)){0,8}", "site.namespace")
]
"""A namespace of a backup server's datastore; empty is its root."""
NodeName = Annotated[str, _matching(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", "site.node")]
_DrcMethod = Literal["backup-sync", "stretched"]
DrcMethod = Annotated[
    _DrcMethod,
    BeforeValidator(_drc_method),
    WithJsonSchema({"type": "string", "enum": list(get_args(_DrcMethod))}),
]
Thresholds = Annotated[
    tuple[int, ...],
    BeforeValidator(_thresholds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 100},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1, "maximum": 100},
                    "minItems": 1,
                    "uniqueItems": True,
                },
            ]
        }
    ),
]
