"""The only door to Proxmox VE and its backup servers: typed calls, one picture of a cluster, task
waiting, errors.

Why a door: the library underneath (proxmoxer) times out after five seconds, neither retries nor
fails over, takes any path and hands back whatever JSON came. Here every call is a method with
types, every answer is read into the nouns of `cluster`, and every refusal is an error with a code.

What always holds:

- A call that is safe (GET) goes to the next endpoint and is tried again where the error is
  temporary. A write goes on only while it is certain that nothing was sent; once its answer is
  lost it raises `AnswerLost`, and the caller looks before it acts again.
- Every wait has an end: connecting, reading, retrying and waiting for tasks.
- The server is never unverified: a CA, or the SHA-256 fingerprint of its certificate.
- Nothing from outside goes into a path unchecked, and what comes from outside is data: an odd
  field is `pve.answer` with its place, text is bounded in length.
- The token's secret stands in no log record, exception or repr.
- What cannot be read is unknown, never absent.
- Many tasks are followed by one request per cluster and round (`TaskWaiter`).

What it refuses to know: requests, quota, plans, journals; what a VM is for; when to undo.
"""

from cloudpemda.proxmox.backup_server import BackupServer, connect_backup_server
from cloudpemda.proxmox.client import Pve, connect
from cloudpemda.proxmox.errors import (
    AnswerLost,
    AuthFailed,
    BadAnswer,
    Busy,
    Changed,
    Exists,
    Locked,
    NoAnswer,
    NodeOffline,
    NoQuorum,
    NotFound,
    OtherError,
    PermissionDenied,
    Protected,
    PveError,
    StorageFull,
    TaskFailed,
    TaskTimeout,
    TaskUnknown,
    UnsafeName,
    Unsupported,
    Untrusted,
    WrongParameter,
)
from cloudpemda.proxmox.guests import Param
from cloudpemda.proxmox.paths import Upid, upid_kind, upid_node, upid_works_on
from cloudpemda.proxmox.tasks import TaskResult, TaskWaiter
from cloudpemda.proxmox.transport import Exchange, Trust

__all__ = [
    "AnswerLost",
    "AuthFailed",
    "BackupServer",
    "BadAnswer",
    "Busy",
    "Changed",
    "Exchange",
    "Exists",
    "Locked",
    "NoAnswer",
    "NoQuorum",
    "NodeOffline",
    "NotFound",
    "OtherError",
    "Param",
    "PermissionDenied",
    "Protected",
    "Pve",
    "PveError",
    "StorageFull",
    "TaskFailed",
    "TaskResult",
    "TaskTimeout",
    "TaskUnknown",
    "TaskWaiter",
    "Trust",
    "UnsafeName",
    "Unsupported",
    "Untrusted",
    "Upid",
    "WrongParameter",
    "connect",
    "connect_backup_server",
    "upid_kind",
    "upid_node",
    "upid_works_on",
]
