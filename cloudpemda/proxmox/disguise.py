"""A cluster's answers without what would give away its secrets, or where and whose it is.

What goes: passwords, keys, tickets, certificates, serial numbers, free text. What is replaced, by
the same word wherever it stands, so that answers still fit each other: addresses (by those that
RFC 2544 and RFC 3849 set aside), MAC addresses, UUIDs, host names, user ids, and every name that
somebody gave: of clusters, nodes, guests, pools, groups, realms, tokens, storages, files, …
Types stay, numbers are left alone, and so are names that are words of PVE's own.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping

REMOVED = "removed"

_SECRET = re.compile(
    r"pass(word|wd)?$|secret|token$|ticket|(^|[-_])(key|keys|pubkey|keyring|pem|salt|otp)$|sshkeys"
    r"|csrf|fingerprint|_fp$|serial$|^wwn$|by_id_link|cert|serverid|credential|x509|snippet",
    re.IGNORECASE,
)
_PRIVATE = re.compile(
    r"(comment|description|notes(-template)?|e?mail(to)?|firstname|lastname|server\d?|export|share"
    r"|portal|monhost|hostname|fqdn|domain|search(domain)?|subject|issuer|san|(base|bind|group)_dn"
    r"|(group_)?filter|issuer-url|client-id|url|http_proxy|webauthn|u2f|consent-text|timezone|args"
    r"|ciuser|alias|datastore|namespace|username|hookscript|cicustom|tags|(allowed|registered|user)-tag.*"
    r"|tag-style|comments\d?)"
)
_TOLD = frozenset({"t", "msg", "status", "exitstatus", "error", "message", "reason"})
_SHORTEST = 3  # a shorter word would be found where it was not meant
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_MAC = re.compile(r"\b(?:[0-9A-F]{2}:){5}[0-9A-F]{2}\b", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w)"
    r"|(?<![\w.:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:]|\.\w)",
    re.IGNORECASE,
)
_USER = re.compile(r"(?<![\w.@-])([\w.+-]+)@([A-Za-z][\w.-]*\w)(?:!([A-Za-z][\w.-]*))?")
_HOST = re.compile(
    r"(?<![\w.@-])(?:[a-z\d-]+\.)+(?:id|com|net|org|lan|local|intern|internal|home)(?![\w.-])"
)
_IN_OPTION = re.compile(r"\b(serial|wwn|manufacturer|product|sku|family|password)=[^,\s]+")
_TARGET = re.compile(r"\biqn\.[^,\s]+")
_FILE = re.compile(  # not the disks of guests: their names tell a number
    r"(?<![\w.-])(?!(?:vm|base|vzdump)-)([\w.-]+?)(\.(?:iso|img|qcow2|raw|vmdk|ova|tar\.\w+|ya?ml))"
    r"(?![\w.-])"
)
# Fields that hold a name somebody gave, and what it is then called.
_NAMED: Mapping[str, str] = {
    "poolid": "pool", "pool": "pool", "groupid": "group", "group": "group", "realm": "realm",
    "tokenid": "token", "roleid": "role", "rule": "rule", "storage": "storage", "zone": "zone",
    "vnet": "vnet", "snapname": "snapshot", "parent": "snapshot",
}  # fmt: skip
# Names that PVE gives itself, and words of its paths and answers: they name nobody.
_PLAIN_WORDS = """
access acl all backup ceph cifs cluster config current dir domains firewall group groups ha images
import iso job jobs local local-lvm local-zfs lvm lvmthin network nfs node nodes none pam pbs pool
pools pve qemu lxc replication resources role roles root rootdir rpool rpool/data rule rules running
snapshot snippets standalone status stopped storage task tasks token user users version vm vms
vztmpl zfs zfspool zone zones
"""
_PLAIN = frozenset(_PLAIN_WORDS.split())
_BUILTIN = re.compile(r"PVE[A-Z]\w+|Administrator|NoAccess|\d+")


class Disguise:
    """One cluster's disguise: what was seen first gets the first word. Not thread-safe."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self._said: dict[str, str] = {}  # by kind and text
        self._counts: dict[str, int] = {}
        self._words: dict[str, str] = {}  # of free speech: names of guests, servers, people
        self._nodes = {node: f"pve{number}" for number, node in enumerate(sorted(nodes), 1)}
        self._names = dict(self._nodes)  # what is replaced wherever it stands
        self._name = self._pattern()

    def path(self, path: str) -> str:
        return self._text(path)

    def learn(self, value: object) -> None:
        """Take note of the names in an answer, before any answer is put into disguise."""
        self._learn(value)
        self._name = self._pattern()

    def _learn(self, value: object) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                kind = _kind(str(key), value)
                if isinstance(inner, str) and kind == "guest":
                    self._words[inner] = self._named("guest", inner)
                elif isinstance(inner, str) and kind:
                    self._names.setdefault(inner, self._named(kind, inner))
                elif isinstance(inner, str) and _PRIVATE.fullmatch(str(key)):
                    self._words[inner] = REMOVED
                elif isinstance(inner, Mapping) and key == "tokens":
                    self._names |= {token: self._named("token", token) for token in inner}
                self._learn(inner)
        elif isinstance(value, list):
            for inner in value:
                self._learn(inner)

    def _pattern(self) -> re.Pattern[str]:
        """Any name that is to be replaced; a node's with the domain behind it."""
        known = [
            re.escape(name)
            for name, said in self._names.items()
            if name in self._nodes or (said != name and len(name) >= _SHORTEST)
        ]
        names = "|".join(sorted(known, key=len, reverse=True)) or "(?!)"
        return re.compile(rf"(?<![\w.-])({names})(?![\w-])(?:\.(?:[a-z\d-]+\.)*[a-z]+\b)?")

    def apply(self, value: object, key: str = "") -> object:
        """The value in disguise: of the same shape, with the same types."""
        if isinstance(value, Mapping):
            return {self._text(str(name)): self._field(name, value) for name in value}
        if isinstance(value, list):
            return [self.apply(inner, key) for inner in value]
        if not isinstance(value, str) or not value:
            return value
        if _PRIVATE.fullmatch(key) or _SECRET.search(key) or "PRIVATE KEY" in value:
            return REMOVED
        return self._text(self._speech(value) if key in _TOLD else value)

    def _field(self, name: str, row: Mapping[str, object]) -> object:
        value = row[name]
        kind = _kind(name, row)
        if isinstance(value, str) and kind:
            return self._named(kind, value)
        if name == "key" and ("value" in row or "pending" in row or "delete" in row):
            return value  # the name of a setting
        if name in ("value", "pending") and isinstance(value, str) and "key" in row:  # a setting
            setting = str(row["key"])
            kind = "guest" if setting == "name" else _NAMED.get(setting, "")
            return self._named(kind, value) if kind else self.apply(value, setting)
        return self.apply(value, name)

    def _named(self, kind: str, name: str) -> str:
        """The word for a name, the first one it got; a name that names nobody stays."""
        if not name or name in _PLAIN or _BUILTIN.fullmatch(name):
            return name
        known = self._names.get(name) or self._words.get(name)
        return known or self._as(kind, name, f"{kind}{{}}".format)

    def _as(self, kind: str, text: str, make: Callable[[int], str]) -> str:
        known = f"{kind} {text}"
        if known not in self._said:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._said[known] = make(self._counts[kind])
        return self._said[known]

    def _text(self, text: str) -> str:
        text = _UUID.sub(lambda m: self._as("uuid", m[0].lower(), _uuid), text)
        text = _MAC.sub(lambda m: self._as("mac", m[0].upper(), _mac), text)
        text = _ADDRESS.sub(self._address, text)
        text = _USER.sub(self._user, text)
        text = _IN_OPTION.sub(lambda m: f"{m[1]}={REMOVED}", text)
        text = _TARGET.sub(REMOVED, text)
        text = _FILE.sub(lambda m: self._as("file", m[1], "file{}".format) + m[2], text)
        text = self._name.sub(lambda m: self._names[m[1]], text)
        return _HOST.sub(lambda m: self._as("host", m[0], "host{}.example.org".format), text)

    def _speech(self, text: str) -> str:
        for word, said in self._words.items():
            if len(word) >= _SHORTEST:
                text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", said, text)
        return text

    def _address(self, match: re.Match[str]) -> str:
        try:
            found = ipaddress.ip_address(match[0])
        except ValueError:  # a time, a version
            return match[0]
        if found.is_loopback or found.is_unspecified:
            return match[0]
        if found.version == 6:
            return self._as("ipv6", match[0].lower(), "2001:db8::{:x}".format)
        return self._as("ipv4", match[0], lambda n: f"198.18.{n // 250}.{n % 250 + 1}")

    def _user(self, match: re.Match[str]) -> str:
        name, realm, token = match.groups()
        word = name if name == "root" else self._as("user", name, "user{}".format)
        unknown = realm if "." not in realm else "example.org"
        behind = f"!{self._named('token', token)}" if token else ""
        return f"{word}@{self._names.get(realm, unknown)}{behind}"


def _kind(key: str, row: Mapping[str, object]) -> str:
    """What this field's name is the name of; empty where it holds none."""
    if key == "id" and "schedule" in row and "guest" not in row:
        return "job"
    if key != "name":
        return _NAMED.get(key, "")
    if row.get("type") in ("cluster", "node"):
        return "cluster" if row["type"] == "cluster" else ""
    if "cidr" in row or "snaptime" in row:
        return "alias" if "cidr" in row else "snapshot"
    return "guest"


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def _mac(number: int) -> str:
    return "BC:24:11:" + ":".join(f"{number:06X}"[at : at + 2] for at in (0, 2, 4))
