"""A cluster's answers without what would give away its secrets, or where and whose it is.

What goes: passwords, keys, tickets, certificates, serial numbers, free text. What is replaced, by
the same word wherever it stands, so that answers still fit each other: addresses (by those that
RFC 2544 and RFC 3849 set aside), MAC addresses, UUIDs, node names, user ids, names of guests.
Types stay, and numbers are left alone.
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
    r"(comment|description|notes(-template)?|e?mail(to)?|firstname|lastname|server2?|export|share"
    r"|portal|hostname|fqdn|domain|search(domain)?|subject|issuer|san|base_dn|bind_dn|issuer-url"
    r"|client-id|url|ciuser|alias|datastore|namespace|username|hookscript|cicustom|tags)"
)
_TOLD = frozenset({"t", "msg", "status", "exitstatus", "error", "message", "reason"})
_SHORTEST = 3  # a shorter word would be found where it was not meant
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_MAC = re.compile(r"\b(?:[0-9A-F]{2}:){5}[0-9A-F]{2}\b", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4})(?![\w:]|\.\w)",
    re.IGNORECASE,
)
_USER = re.compile(r"(?<![\w.@-])[\w.+-]+@[A-Za-z][\w.-]*\w")


class Disguise:
    """One cluster's disguise: what was seen first gets the first word. Not thread-safe."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self._said: dict[str, str] = {}  # by kind and text
        self._counts: dict[str, int] = {}
        self._words: dict[str, str] = {}  # of free speech: names of guests, servers, people
        self._nodes = {node: f"pve{number}" for number, node in enumerate(sorted(nodes), 1)}
        longest_first = sorted(map(re.escape, self._nodes), key=len, reverse=True)
        self._node = re.compile(rf"(?<![\w.-])({'|'.join(longest_first) or '(?!)'})(?![\w-])")

    def path(self, path: str) -> str:
        return self._text(path)

    def learn(self, value: object) -> None:
        """Take note of the names in an answer, before any answer is put into disguise."""
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if isinstance(inner, str) and _is_name(key, value):
                    self._words[inner] = self._guest(inner)
                elif isinstance(inner, str) and _PRIVATE.fullmatch(str(key)):
                    self._words[inner] = REMOVED
                self.learn(inner)
        elif isinstance(value, list):
            for inner in value:
                self.learn(inner)

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
        if isinstance(value, str) and _is_name(name, row):
            return self._guest(value)
        if name == "key" and ("value" in row or "pending" in row or "delete" in row):
            return value  # the name of a setting
        if name in ("value", "pending") and isinstance(value, str) and "key" in row:  # a setting
            setting = str(row["key"])
            return self._guest(value) if setting == "name" else self.apply(value, setting)
        return self.apply(value, name)

    def _guest(self, name: str) -> str:
        return self._as("guest", name, "guest{}".format)

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
        return self._node.sub(lambda m: self._nodes[m[1]], text)

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
        name, _, realm = match[0].partition("@")
        if name == "root":
            return match[0]
        word = self._as("user", name, "user{}".format)
        return f"{word}@{'example.org' if '.' in realm else realm}"


def _is_name(key: object, row: Mapping[str, object]) -> bool:
    """Whether this is the name that somebody gave a guest."""
    return key == "name" and ("vmid" in row or "cores" in row or "smbios1" in row)


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def _mac(number: int) -> str:
    return "BC:24:11:" + ":".join(f"{number:06X}"[at : at + 2] for at in (0, 2, 4))
