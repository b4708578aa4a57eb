"""What is left of a VM that another hand has removed: its copies are told, what names it goes.

Whoever deletes a VM past the program leaves on the cluster what protected it: copies on replication
targets with the jobs that made them, its HA resource, its place in our backup jobs, its security
group. Every volume that a node shows under its VMID is noted first, so that it is charged until it
was cleaned. Under a VMID that somebody else has now nothing is changed, and only volumes that he
does not have are told.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Lock

from cloudpemda.apply.failures import Foreign
from cloudpemda.apply.identity import Found, Standing, look
from cloudpemda.apply.retire import (
    LeaveResult,
    Leaving,
    NoteLeft,
    Refusal,
    Retiree,
    results_of,
    ungrouped,
)
from cloudpemda.apply.shop import Shop
from cloudpemda.apply.tools import Tools
from cloudpemda.errors import Unreachable
from cloudpemda.plan.ha import GROUP, sid
from cloudpemda.proxmox import NotFound
from cloudpemda.saga import Step, Work

_HA_SECONDS = 600.0
_REPLICATION_SECONDS = 1800.0


def clear_gone(
    leaving: Sequence[Leaving], tools: Tools, note: NoteLeft, ending: Collection[str] = ()
) -> tuple[LeaveResult, ...]:
    """Note what the cluster still keeps of VMs that are not there, and take away what names them.

    `ending` as in `retire.purge`. What fails is left as far as it came; the same call goes on.
    Raises only for bugs.
    """
    shop = Shop(tools, ())
    lock = Lock()
    results = results_of(leaving, lambda one: Vanished(one, shop, lock, note).steps(), tools)
    left = ungrouped(shop, results, ending)
    return tuple(
        replace(one, done=False, step="verify", error=left[one.leaving.key])
        if one.leaving.key in left
        else one
        for one in results
    )


class Vanished(Retiree):
    """One VM that is not there."""

    def steps(self) -> tuple[Step, ...]:
        return (
            Step("gone-copies", self.note_left, _no),
            Step("gone-ha", self.leave_ha, _no),
            Step("gone-replication", self.unreplicate, _no),
            Step("gone-backup", self.leave_backups, _no),
        )

    def _there(self) -> Found | None:
        """Who has its VMID; None where nobody has. Raises Refusal where it is back."""
        found = look(self._pve, self, self._one.node)
        if found.standing is Standing.ABSENT:
            return None
        if found.standing is not Standing.FOREIGN:
            values = {"vmid": self.identity.vmid, "node": found.node}
            raise Refusal("retire.not-gone", key=self._one.key, **values)
        return found

    def note_left(self, _: Work) -> None:
        """Every volume under its VMID, but for those that a stranger has; before any job goes."""
        stranger = self._there()
        for node, storage in self._places(None if stranger is None else stranger.node):
            sizes = self._pve.volume_sizes(node, storage, self.identity.vmid)
            if stranger is not None and stranger.config is not None:
                used = stranger.config.raw.values()
                sizes = {
                    volume: size
                    for volume, size in sizes.items()
                    if not any(volume in value for value in used)
                }
            if sizes:
                self._remember(node, sizes)

    def _places(self, strangers: str | None) -> Iterator[tuple[str, str]]:
        """Where volumes of it may lie: node and storage, a shared one once; not on the node of the
        stranger who has its VMID. Raises Unreachable where a node that may have copies is off."""
        live = self._shop.tools.live
        shared: set[str] = set()
        for name, node in sorted(live.nodes.items()):
            if name == strangers:
                continue
            if not node.answers:
                if name in self._one.targets:
                    values = {"key": self._one.key, "vmid": self.identity.vmid}
                    raise Unreachable("retire.gone-unread", node=name, **values)
                continue
            for storage in sorted(self._one.storages):
                there = live.storage_at.get((name, storage))
                if there is None or storage in shared:
                    continue
                if there.shared:
                    shared.add(storage)
                yield name, storage

    def leave_ha(self, _: Work) -> None:
        """No resource and no rule of ours names it; there is nothing to bring to rest."""
        if self._there() is not None:
            return
        name = sid(self.identity.vmid)
        own = self._leave_rules(name)
        for rule in own:
            if rule.kind != GROUP:
                with self._shop.writing():
                    self._pve.delete_ha_rule(rule)
        if self._ha_state(name) is not None:
            with suppress(NotFound), self._shop.writing():
                self._pve.remove_ha_resource(self.identity.vmid)
        self._until(lambda: self._ha_state(name) is None, _HA_SECONDS, "apply.ha-stays")
        for rule in own:
            if rule.kind == GROUP:  # not before its last resource is gone
                with self._shop.writing():
                    self._pve.delete_ha_rule(rule)

    def unreplicate(self, _: Work) -> None:
        """No job is left. A removal that cleans the target needs a run of the VM's node, which has
        none for a VM that is not there; its copies are noted."""
        if self._there() is not None:
            return
        for job in self._jobs():
            with suppress(NotFound), self._shop.writing():
                self._pve.delete_replication(job.id, force=True)
        self._until(lambda: not self._jobs(), _REPLICATION_SECONDS, "apply.replication-stays")

    def _found(self) -> Found | None:
        """For the steps that are those of every VM that goes. Raises Foreign under a VMID that
        somebody else has now."""
        found = self._there()
        if found is not None:
            values = {"vmid": self.identity.vmid, "node": found.node}
            raise Foreign("retire.foreign", key=self._one.key, **values)
        return Found(Standing.ABSENT, self._one.node, None)

    def leave_backups(self, work: Work) -> None:
        """Our own jobs list it no more."""
        if self._there() is None:
            super().leave_backups(work)


def _no(_: Work) -> bool:
    """Every step looks before it acts, so it can simply be done again."""
    return False
