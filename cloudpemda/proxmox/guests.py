"""The calls on one guest that lives, and what all calls to a cluster share."""

from collections.abc import Mapping
from urllib.parse import unquote

from cloudpemda.clock import Clock
from cloudpemda.cluster import HaFlavour, PendingValue, VmConfig, VmSnapshot
from cloudpemda.proxmox import nouns, picture
from cloudpemda.proxmox.access import AccessCalls
from cloudpemda.proxmox.firewall import FirewallCalls
from cloudpemda.proxmox.paths import Upid, parse_upid
from cloudpemda.proxmox.rows import Row, row
from cloudpemda.proxmox.transport import Transport

Param = str | int | bool


class Calls:
    """One cluster, and how a call to it is made."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self.firewall = FirewallCalls(transport)
        self.access = AccessCalls(transport)
        # Facts of the server that change with an upgrade only: asked once per client.
        self._version: str | None = None
        self._flavour: HaFlavour | None = None

    # -- the transport -------------------------------------------------------------------------
    def _row(
        self, template: str, query: Mapping[str, str] | None = None, **parts: str | int
    ) -> Row:
        answer = self._transport.get(template, query, **parts)
        return row(template, answer, self._transport.bad_answer)

    def _task(
        self, method: str, template: str, form: Mapping[str, str], **parts: str | int
    ) -> Upid:
        answer = self._transport.write(
            "PUT" if method == "PUT" else "POST", template, form, **parts
        )
        return self._upid(f"{method} {template}", answer)

    def _upid(self, where: str, answer: object) -> Upid:
        upid = parse_upid(answer)
        if upid is None:
            raise self._transport.bad_answer(where, answer)
        return upid


class GuestCalls(Calls):
    """A guest that lives: its power, and its states to go back to."""

    # -- power ---------------------------------------------------------------------------------
    def shutdown(self, node: str, vmid: int, seconds: int, *, force: bool = False) -> Upid:
        """Ask the guest to shut itself down; where it has not after `seconds` the task fails, or
        (`force`) switches it off."""
        path = "/nodes/{node}/qemu/{vmid}/status/shutdown"
        form = form_of({"timeout": seconds, **({"forceStop": True} if force else {})})
        return self._task("POST", path, form, node=node, vmid=vmid)

    def reboot(self, node: str, vmid: int, seconds: int) -> Upid:
        """Shut the guest down and start it anew, which makes pending values effective.

        The task fails where the guest has not shut down after `seconds`. OtherError for a VM that
        does not run.
        """
        path = "/nodes/{node}/qemu/{vmid}/status/reboot"
        return self._task("POST", path, form_of({"timeout": seconds}), node=node, vmid=vmid)

    def pending(self, node: str, vmid: int) -> tuple[PendingValue, ...]:
        """What the VM's next start makes effective, by key."""
        path = "/nodes/{node}/qemu/{vmid}/pending"
        found = picture.read_rows(self._transport, path, node=node, vmid=vmid)
        return tuple(
            PendingValue(
                one.text("key"), one.optional("value"),
                None if one.flag("delete") else one.optional("pending"),
            )
            for one in sorted(found, key=lambda one: one.text("key"))
            if "pending" in one or one.flag("delete")
        )  # fmt: skip

    # -- states of a VM ------------------------------------------------------------------------
    def vm_snapshots(self, node: str, vmid: int) -> tuple[VmSnapshot, ...]:
        """The states that are kept of it, oldest first."""
        path = "/nodes/{node}/qemu/{vmid}/snapshot"
        found = picture.read_rows(self._transport, path, node=node, vmid=vmid)
        kept = [nouns.vm_snapshot(one) for one in found if one.text("name") != "current"]
        return tuple(sorted(kept, key=lambda one: (one.taken_at, one.name)))

    def take_snapshot(self, node: str, vmid: int, name: str, description: str) -> Upid:
        """Keep its disks as they are; a name that is taken fails in the task."""
        path = "/nodes/{node}/qemu/{vmid}/snapshot"
        form = {"snapname": name, "description": description}
        return self._task("POST", path, form, node=node, vmid=vmid)

    def drop_snapshot(self, node: str, vmid: int, name: str) -> Upid:
        path = "/nodes/{node}/qemu/{vmid}/snapshot/{name}"
        answer = self._transport.delete(path, node=node, vmid=vmid, name=name)
        return self._upid(f"DELETE {path}", answer)

    def go_back(self, node: str, vmid: int, name: str, *, start: bool) -> Upid:
        """Make it as it was kept: it is switched off for it, and started after it if asked."""
        path = "/nodes/{node}/qemu/{vmid}/snapshot/{name}/rollback"
        return self._task("POST", path, form_of({"start": start}), node=node, vmid=vmid, name=name)

    # -- backups of a VM -----------------------------------------------------------------------
    def back_up(self, node: str, vmid: int, storage: str, notes: str) -> Upid:
        """Back it up as it is, and prune nothing. Raises BadAnswer where it is on another node:
        PVE says `OK` then, and does nothing."""
        form: dict[str, Param] = {
            "vmid": vmid, "storage": storage, "mode": "snapshot", "remove": False,
            "notes-template": notes,
        }  # fmt: skip
        return self._task("POST", "/nodes/{node}/vzdump", form_of(form), node=node)

    def archived_config(self, node: str, volume: str) -> VmConfig:
        """The configuration that a backup holds, as PVE would restore it."""
        path = "/nodes/{node}/vzdump/extractconfig"
        answer = self._transport.get(path, {"volume": volume}, node=node)
        if not isinstance(answer, str):
            raise self._transport.bad_answer(path, answer)
        found = row(path, archived(answer), self._transport.bad_answer)
        return nouns.vm_config(found)

    def restore(
        self, node: str, vmid: int, volume: str, params: Mapping[str, Param], *, over: bool
    ) -> Upid:
        """Make a VM as a backup holds it; `params` stand above what it says.

        `over` the stopped VM of that id: its disks and snapshots are destroyed before anything is
        in their place. Without it Exists for an id that is taken.
        """
        form = form_of({**params, "vmid": vmid, "archive": volume})
        if over:
            form["force"] = "1"
        return self._task("POST", "/nodes/{node}/qemu", form, node=node)


def archived(text: str) -> dict[str, str]:
    """The settings in the text of a configuration file; comments are the description, and what
    stands behind a heading belongs to a snapshot."""
    told: list[str] = []
    found: dict[str, str] = {}
    for line in text.partition("\n[")[0].splitlines():
        if line.startswith("#"):
            told += [] if line.startswith("#qmdump#") else [unquote(line[1:])]
            continue
        key, colon, value = line.partition(":")
        if colon:
            found[key.strip()] = value.strip()
    return {**found, "description": "\n".join(told), "digest": ""}


def form_of(params: Mapping[str, Param]) -> dict[str, str]:
    """Form fields as PVE takes them: booleans are 0 and 1, never `true`."""
    return {
        key: str(int(value)) if isinstance(value, bool) else str(value)
        for key, value in params.items()
    }
