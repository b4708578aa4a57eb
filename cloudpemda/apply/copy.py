"""The steps that make a copy of a VM from a backup, under a VMID of its own.

The call that restores it carries its own uid and role, new MAC addresses, and every NIC unplugged:
it is nobody else's from the first moment, and speaks to nobody. It is not started. What fails is
taken back: the copy is destroyed, if it is ours.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from cloudpemda.apply.chains import chain_of
from cloudpemda.apply.failures import ApplyError, Foreign, HalfMade, NotAsDesired
from cloudpemda.apply.identity import Found, Standing, look_for
from cloudpemda.apply.shop import Shop
from cloudpemda.apply.tools import Tools
from cloudpemda.cluster import VmConfig, VmStatus
from cloudpemda.plan.model import Identity
from cloudpemda.proxmox import NotFound, TaskFailed, TaskUnknown, Upid, upid_works_on
from cloudpemda.saga import Chain, Outcome, Step, Work

_TASK_SECONDS = 6 * 3600.0
_LOCK = "create"
_LOST = (NotFound, TaskFailed, TaskUnknown)


@dataclass(frozen=True)
class Copying:
    """A copy that shall be."""

    key: str
    identity: Identity
    node: str
    volume: str  # the backup
    params: Mapping[str, str]  # what stands above the backup's configuration


def unplugged(nic: str, mac: str) -> str:
    """A NIC's setting with another address, and no link: `virtio=…,bridge=vmbr0,link_down=1`."""
    model, *options = nic.split(",")
    kept = [one for one in options if not one.startswith(("link_down=", "macaddr="))]
    return ",".join([f"{model.partition('=')[0]}={mac}", *kept, "link_down=1"])


def make_copy(one: Copying, tools: Tools) -> Outcome:
    """Make it, or go on with that. Raises Incomplete where it was halted."""
    return copying(one, tools).run()


def copying(one: Copying, tools: Tools) -> Chain:
    """The chain of one copy, from wherever the journal stands."""
    maker = Copier(one, Shop(tools, ()))
    steps = (
        Step("create", maker.create, maker.is_created, maker.destroy),
        Step("verify", maker.verify, _no),
    )
    return chain_of(one.key, one.identity.uid, steps, tools)


class Copier:
    """One copy on its way."""

    def __init__(self, one: Copying, shop: Shop) -> None:
        self._one = one
        self._shop = shop
        self._pve = shop.pve

    @property
    def _vmid(self) -> int:
        return self._one.identity.vmid

    def create(self, work: Work) -> None:
        found = self._found(work)
        if found.standing is Standing.OURS:
            return
        ours = _is_husk(found) and work.upid is not None  # what PVE leaves of one that failed
        if found.standing is not Standing.ABSENT and not ours:
            raise self._foreign(found)
        with self._shop.gates.write(self._one.node):
            upid = self._pve.restore(
                self._one.node, self._vmid, self._one.volume, {**self._one.params, "unique": True},
                over=ours,
            )  # fmt: skip
        work.note_upid(upid)
        self._shop.tasks.wait(upid, _TASK_SECONDS)

    def is_created(self, work: Work) -> bool:
        return self._found(work).standing is Standing.OURS

    def verify(self, _: Work) -> None:
        """It is ours, stands still, and is plugged in nowhere."""
        found = self._look()
        if found.standing is not Standing.OURS or found.config is None:
            raise self._foreign(found)
        wrong = [
            key for key, value in self._one.params.items() if _differs(found.config, key, value)
        ]
        if self._pve.vm_status(found.node, self._vmid) is not VmStatus.STOPPED:
            wrong.append("status")
        if wrong:
            what = ", ".join(wrong)
            raise NotAsDesired("apply.not-as-desired", key=self._one.key, what=what)

    def destroy(self, work: Work) -> None:
        """Nothing of it is left; a stranger under its VMID is not touched."""
        found = self._found(work)
        husk = _is_husk(found) and work.upid is not None
        if found.standing is Standing.ABSENT or (found.standing is not Standing.OURS and not husk):
            return
        if self._pve.vm_status(found.node, self._vmid) is not VmStatus.STOPPED:
            raise ApplyError("apply.not-destroyed", key=self._one.key, vmid=self._vmid)
        with self._shop.gates.write(found.node):
            upid = self._pve.destroy(found.node, self._vmid)
        self._shop.tasks.wait(upid, _TASK_SECONDS)
        if self._look().standing is Standing.OURS:
            raise HalfMade("apply.not-destroyed", key=self._one.key, vmid=self._vmid)

    def _found(self, work: Work) -> Found:
        """What stands under its VMID, once nobody makes it any more. Raises HalfMade where it is
        locked for being made, and no task makes it."""
        if work.upid is not None:
            with suppress(*_LOST):
                self._shop.tasks.wait(Upid(work.upid), _TASK_SECONDS)
        for upid, ended in self._pve.tasks().items():
            making = upid.split(":")[5] == "qmrestore" and upid_works_on(upid, self._vmid)
            if ended is None and making:
                with suppress(*_LOST):
                    self._shop.tasks.wait(upid, _TASK_SECONDS)
        found = self._look()
        if found.config is not None and found.config.raw.get("lock") == _LOCK:
            values = {"key": self._one.key, "vmid": self._vmid, "node": found.node}
            raise HalfMade("apply.half-made", **values)
        return found

    def _look(self) -> Found:
        return look_for(self._pve, self._one.identity, self._one.node)

    def _foreign(self, found: Found) -> Foreign:
        code = "apply.gone" if found.standing is Standing.ABSENT else "apply.foreign"
        return Foreign(code, key=self._one.key, vmid=self._vmid, node=found.node)


def _is_husk(found: Found) -> bool:
    """A configuration with nothing in it."""
    return found.config is not None and not (set(found.config.raw) - {"digest"})


def _differs(config: VmConfig, key: str, value: str) -> bool:
    live = config.raw.get(key, "")
    if key.startswith("net"):
        return "link_down=1" not in live.split(",")
    if key in ("onboot", "protection"):
        return (live or "0") != value
    return key == "description" and live.strip() != value.strip()


def _no(_: Work) -> bool:
    return False
