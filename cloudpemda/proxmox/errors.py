"""What Proxmox VE or the way to it can answer instead of a result, told apart.

PVE answers 500 to nearly everything; only the text says what was wrong, so the texts are a table
here (taken from recorded answers of 8.4 and 9.2). `temporary` means: the very same call may
succeed a little later, and nothing happened.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from cloudpemda.errors import Unreachable

TEXT_LIMIT = 500


class PveError(Unreachable):
    """A call that did not do its work. Values: cluster, method, path, status, text."""

    temporary: bool = False


class NoAnswer(PveError):
    """No endpoint could be reached (`pve.unreachable`): certain that nothing was sent."""

    temporary = True


class Untrusted(NoAnswer):
    """The server's certificate is not the trusted one (`pve.tls`)."""

    temporary = False


class AnswerLost(PveError):
    """A write was sent and no answer came (`pve.answer-lost`): look before acting again."""


class BadAnswer(PveError):
    """The answer is not what the API documents (`pve.answer`); `where` says which field."""


class UnsafeName(PveError):
    """A name from outside that may not stand in a path (`pve.name`)."""


class Locked(PveError):
    """The guest or a file is locked by another task (`pve.locked`)."""

    temporary = True


class Busy(PveError):
    """The server gave up waiting for itself (`pve.busy`)."""

    temporary = True


class NoQuorum(PveError):
    """The cluster cannot write (`pve.quorum`)."""

    temporary = True


class NodeOffline(PveError):
    """The node is not reached from the one that was asked (`pve.node-offline`)."""

    temporary = True


class NotFound(PveError):
    """It is not there (`pve.not-found`). A guest may also have moved: locate it again."""


class Exists(PveError):
    """It is there already (`pve.exists`)."""


class Changed(PveError):
    """The digest moved (`pve.changed`): read again, decide again."""


class Protected(PveError):
    """The guest's protection flag is set (`pve.protected`)."""


class StorageFull(PveError):
    """No space left on the storage (`pve.storage-full`)."""


class AuthFailed(PveError):
    """The token is not accepted (`pve.auth`)."""


class PermissionDenied(PveError):
    """The token lacks a privilege (`pve.permission`, or `-unnamed` where PVE says not which)."""

    @property
    def object_path(self) -> str:
        """The path that was checked, empty where PVE does not say."""
        return str(self.values["object"])

    @property
    def privilege(self) -> str:
        return str(self.values["privilege"])


class WrongParameter(PveError):
    """A parameter was refused (`pve.parameter`)."""

    def __init__(self, code: str, errors: Mapping[str, str], **values: object) -> None:
        super().__init__(code, **values)
        self.errors = MappingProxyType(dict(errors))


class Unsupported(PveError):
    """This version of PVE has no such call (`pve.unsupported`)."""


class OtherError(PveError):
    """A refusal that no other type names (`pve.other`)."""


class TaskFailed(PveError):
    """A task ended with an error (`pve.task-failed`).

    `kind` is the type that the same text would have as a direct answer, so that a lock met inside
    the task is as temporary as one met before it. `log` holds the last lines.
    """

    def __init__(self, kind: type[PveError], log: tuple[str, ...], **values: object) -> None:
        super().__init__("pve.task-failed", **values)
        self.kind = kind
        self.log = log
        self.temporary = kind.temporary


class TaskUnknown(PveError):
    """The worker vanished or cannot be read any more (`pve.task-unknown`): reconcile."""


class TaskTimeout(PveError):
    """The task still runs at the deadline (`pve.task-timeout`): it may yet succeed."""


# Order counts: the first that is found in the text names the error.
_BY_TEXT: tuple[tuple[re.Pattern[str], type[PveError]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (
            r"no quorum|cluster not ready|unable to open file '/etc/pve/.*permission denied",
            NoQuorum,
        ),
        (r"groups have been migrated to rules", Unsupported),
        (r"checksum mismatch|detected modified configuration", Changed),
        (r"protection mode enabled", Protected),
        (r"\bis locked\b|can't (?:un)?lock file|got lock|lock request timeout", Locked),
        (r"out of space|no space left|not enough (?:free )?space|insufficient space", StorageFull),
        (r"got timeout|timed out|temporarily unavailable|too many (?:open|requests)", Busy),
        (
            r"already exists|already defined|belongs already to pool|already a pool member"
            r"|name '[^']*' already used",
            Exists,
        ),
        (r"no such option", OtherError),
        (
            r"does not exist|\bno such\b|unable to find configuration file|not HA managed"
            r"|is not a pool member|hostname lookup '[^']*' failed",
            NotFound,
        ),
    )
)

_CODES: Mapping[type[PveError], str] = MappingProxyType(
    {
        NoAnswer: "pve.unreachable",
        Untrusted: "pve.tls",
        AnswerLost: "pve.answer-lost",
        BadAnswer: "pve.answer",
        Locked: "pve.locked",
        Busy: "pve.busy",
        NoQuorum: "pve.quorum",
        NodeOffline: "pve.node-offline",
        NotFound: "pve.not-found",
        Exists: "pve.exists",
        Changed: "pve.changed",
        Protected: "pve.protected",
        StorageFull: "pve.storage-full",
        AuthFailed: "pve.auth",
        Unsupported: "pve.unsupported",
        OtherError: "pve.other",
        TaskUnknown: "pve.task-unknown",
        TaskTimeout: "pve.task-timeout",
    }
)
_DENIED = re.compile(r"Permission check failed(?: \((?P<object>/[^,]*), (?P<privilege>[^)]*)\))?")


def make(kind: type[PveError], **values: object) -> PveError:
    """An error of a type without fields of its own, with its code."""
    return kind(_CODES[kind], **values)


def bounded(text: str) -> str:
    """Text from outside as it may stand in an error: printable, at most TEXT_LIMIT characters."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text.strip())
    return plain if len(plain) <= TEXT_LIMIT else plain[: TEXT_LIMIT - 1] + "…"


def by_text(text: str) -> type[PveError]:
    """The type that a refusal's text names; OtherError where none is known."""
    for pattern, kind in _BY_TEXT:
        if pattern.search(text):
            return kind
    return OtherError


def classify(
    status: int, text: str, errors: Mapping[str, str], *, write: bool, **values: object
) -> PveError:
    """The error that an answer of `status` (400 and above) with `text` means.

    595 comes when the API node cannot connect to the node it proxies for: nothing was sent. 596
    and above come when it could not send or got no answer: for a write that is a lost answer,
    unless the certificate was refused (a node name in the wrong case), which is before sending.
    """
    known = {**values, "status": status, "text": bounded(text)}
    if status == 400:
        shown = "; ".join(f"{name}: {why.strip()}" for name, why in sorted(errors.items()))
        known["text"] = bounded(shown or text)
        return WrongParameter("pve.parameter", errors, **known)
    if status == 403 and "does not exist" not in text:
        found = _DENIED.search(text)
        what, privilege = (found["object"] or "", found["privilege"] or "") if found else ("", "")
        code = "pve.permission" if privilege else "pve.permission-unnamed"
        return PermissionDenied(code, object=what, privilege=privilege, **known)
    return make(_kind(status, text, write=write), **known)


def _kind(status: int, text: str, *, write: bool) -> type[PveError]:
    if 595 <= status <= 599 or status in {502, 504}:
        unsent = status == 595 or "certificate verify failed" in text
        return NodeOffline if unsent or not write else AnswerLost
    by_status = {401: AuthFailed, 403: NotFound, 429: Busy, 501: Unsupported, 503: Busy}
    return by_status.get(status) or by_text(text)
