"""What an error of the cluster means for a step: take back, repeat, or leave for the next run."""

from cloudpemda.errors import CloudpemdaError, Unreachable
from cloudpemda.proxmox import (
    AnswerLost,
    AuthFailed,
    Busy,
    Changed,
    Locked,
    NoAnswer,
    NodeOffline,
    NoQuorum,
    PveError,
    TaskFailed,
    TaskTimeout,
    TaskUnknown,
)
from cloudpemda.saga import Failure

_UNKNOWN = (AnswerLost, AuthFailed, NoAnswer, NodeOffline, NoQuorum, TaskTimeout, TaskUnknown)
_TEMPORARY = (Busy, Changed, Locked)


class ApplyError(CloudpemdaError):
    """The cluster answered, and the answer is not one to go on with: a person decides."""

    exit_code = Unreachable.exit_code


class HalfMade(ApplyError):
    """A VM stands under our VMID that neither shows our uid nor is being made any more."""


class Foreign(ApplyError):
    """The VMID belongs to a VM that is not ours: it is never touched."""


class NotAsDesired(ApplyError):
    """Read back until the deadline, and something that was written is not there."""


class Lasting(ApplyError):
    """What was to go away did not until the deadline."""


def meaning(error: CloudpemdaError) -> Failure:
    """What a step's error means. An error of the cluster that says no is final: PVE's refusals
    are classified by type, since all of them count as unreachable towards a person."""
    kind = error.kind if isinstance(error, TaskFailed) else type(error)
    if issubclass(kind, _UNKNOWN):
        return Failure.UNKNOWN
    if issubclass(kind, _TEMPORARY):
        return Failure.TEMPORARY
    if issubclass(kind, Unreachable) and not issubclass(kind, PveError):
        return Failure.UNKNOWN
    return Failure.FINAL
