"""`Pve`: one cluster as typed calls. Reads answer nouns, long writes answer a UPID to wait for."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from cloudpemda.clock import Clock
from cloudpemda.cluster import (
    ClusterState,
    Freshness,
    HaFlavour,
    HaResource,
    HaRule,
    Vm,
    VmConfig,
    VmStatus,
)
from cloudpemda.proxmox import nouns, picture
from cloudpemda.proxmox.errors import WrongParameter
from cloudpemda.proxmox.guests import Param
from cloudpemda.proxmox.guests import form_of as _form
from cloudpemda.proxmox.paths import Upid, parse_upid, upid_node
from cloudpemda.proxmox.protection import ProtectionCalls, not_found, numbers
from cloudpemda.proxmox.rows import row
from cloudpemda.proxmox.transport import Exchange, Transport, Trust
from cloudpemda.units import Instant, MiB, instant

LOG_LINES = 20

_BRIDGES = frozenset({"bridge", "OVSBridge", "vnet"})


def connect(
    name: str, endpoints: Sequence[str], token_id: str, secret: str, tls: Trust, clock: Clock
) -> "Pve":
    """The client of one cluster. Sends nothing: the first call is the first connection.

    `endpoints` are `https://host:port`, `token_id` is `user@realm!token` and `secret` its secret,
    `tls` how the cluster proves itself. Raises UsageError for an endpoint that is not HTTPS,
    InvalidInput where the CA file is not there.
    """
    return Pve(Transport(name, endpoints, token_id, secret, tls, clock), clock)


class Pve(ProtectionCalls):
    """One cluster. Safe for many threads.

    Every method may raise PveError; `AnswerLost` only from writes. Parameters are sent as they
    are given, booleans as 0 and 1; VM configuration keys and values are PVE's own.
    """

    def __repr__(self) -> str:
        return f"Pve({self.name})"

    @property
    def name(self) -> str:
        return self._transport.cluster

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._transport.endpoints

    # -- the cluster ---------------------------------------------------------------------------
    def version(self) -> str:
        """PVE's version, e.g. `9.2.11`; asked once."""
        if self._version is None:
            self._version = self._row("/version").text("version")
        return self._version

    def version_at(self, endpoint: str) -> str:
        """The version that this endpoint itself answers, without failover or retry."""
        answer = self._transport.get_from(endpoint, "/version")
        return row("/version", answer, self._transport.bad_answer).text("version")

    def ha_flavour(self) -> HaFlavour:
        """Groups or rules, probed once."""
        if self._flavour is None:
            self.ha_rules()
        assert self._flavour is not None  # noqa: S101 - ha_rules sets it
        return self._flavour

    def snapshot(
        self,
        configs_for: Collection[int] = (),
        *,
        also: Callable[[Vm], bool] | None = None,
        images: bool = True,
    ) -> ClusterState:
        """The cluster as it is now; six requests, and one per configuration.

        With configurations for `configs_for`, for VMs that `also` accepts as they are listed, and
        for those too new to have sizes. `images=False` leaves out the listing of import volumes
        (one request per shared import storage).
        """
        vmids = frozenset(configs_for)
        state = picture.read_picture(
            self._transport,
            self._flavour,
            self._clock.now(),
            lambda vm: vm.vmid in vmids or (also is not None and also(vm)),
            images=images,
        )
        self._flavour = state.ha_flavour
        return state

    def freshness(
        self,
        nodes: Collection[str],
        backup_storages: Collection[str],
        through: Sequence[str] | None = None,
    ) -> Freshness:
        """Age of replications and backups; one request per node and per backup storage.

        Storages are asked `through` these nodes in turn (`nodes` if nothing is said).
        """
        return picture.read_freshness(self._transport, nodes, backup_storages, through)

    def exchange(self, template: str, **parts: str | int) -> Exchange:
        """Any read, `/nodes/{node}/status`, with its answer as it came: for recording a cluster."""
        return self._transport.exchange(template, None, **parts)

    def permissions(self, path: str) -> frozenset[str]:
        """The token's own privileges on one ACL path, e.g. `/vms`."""
        answer = self._row("/access/permissions", {"path": path})
        for found, privileges in answer.items():
            if found == path:
                return frozenset(
                    name for name, _ in row(path, privileges, self._transport.bad_answer).items()
                )
        return frozenset()

    # -- nodes ---------------------------------------------------------------------------------
    def node_time(self, node: str) -> Instant:
        """The node's clock (UTC)."""
        answer = self._row("/nodes/{node}/time", node=node)
        return instant(answer.number("time"))

    def bridges(self, node: str) -> frozenset[str]:
        """Names of the bridges and SDN networks that a VM on this node can be joined to."""
        found = picture.read_rows(
            self._transport, "/nodes/{node}/network", {"type": "any_bridge"}, node=node
        )
        return frozenset(
            one.text("iface") for one in found if one.text("type", "bridge") in _BRIDGES
        )

    def vnets(self, node: str) -> frozenset[str]:
        """Names of the SDN networks that are up on this node, by its own word."""
        return picture.read_vnets(self._transport, node)

    def volumes(self, node: str, storage: str, vmid: int) -> frozenset[str]:
        """Ids of the volumes that one VM owns on one storage of one node."""
        found = picture.read_rows(
            self._transport,
            "/nodes/{node}/storage/{storage}/content",
            {"vmid": str(vmid)},
            node=node,
            storage=storage,
        )
        return frozenset(one.text("volid") for one in found)

    def volume_sizes(self, node: str, storage: str, vmid: int) -> Mapping[str, MiB]:
        """Id → size of the disks that one VM owns on one storage of one node."""
        found = picture.read_rows(
            self._transport,
            "/nodes/{node}/storage/{storage}/content",
            {"vmid": str(vmid), "content": "images"},
            node=node,
            storage=storage,
        )
        return {one.text("volid"): nouns.mib_up(one.number("size", 0)) for one in found}

    def delete_volume(self, node: str, storage: str, volume: str) -> Upid | None:
        """Delete a volume by its id. None where PVE did it at once."""
        answer = self._transport.delete(
            "/nodes/{node}/storage/{storage}/content/{volume}",
            node=node,
            storage=storage,
            volume=volume,
        )
        return None if answer is None else self._upid("DELETE content", answer)

    # -- pools ---------------------------------------------------------------------------------
    def create_pool(self, pool: str, comment: str = "") -> None:
        """Raises Exists if it is there."""
        form: dict[str, Param] = {"poolid": pool}
        if comment:
            form["comment"] = comment
        self._transport.write("POST", "/pools", _form(form))

    def move_to_pool(self, pool: str, vmids: Iterable[int]) -> None:
        """Put VMs into a pool, out of another one if need be. Raises Exists for a member."""
        form: dict[str, Param] = {"poolid": pool, "vms": numbers(vmids), "allow-move": True}
        self._transport.write("PUT", "/pools", _form(form))

    # -- VMs -----------------------------------------------------------------------------------
    def config(self, node: str, vmid: int, *, current: bool = False) -> VmConfig:
        """A VM's configuration with pending values; `current` for what a running VM really has.

        Raises NotFound if it is not on this node: locate it again.
        """
        return picture.read_config(self._transport, node, vmid, current=current)

    def locate(self, vmid: int) -> str | None:
        """The node that has the guest (VM or container) now; None if no node has it."""
        for found in picture.read_rows(self._transport, "/cluster/resources", {"type": "vm"}):
            if found.integer("vmid") == vmid:
                return found.text("node")
        return None

    def vm_status(self, node: str, vmid: int) -> VmStatus:
        """Whether it runs, from QEMU itself rather than from the statistics."""
        answer = self._row("/nodes/{node}/qemu/{vmid}/status/current", node=node, vmid=vmid)
        return nouns.vm_status(answer.text("status"))

    def create_vm(self, node: str, vmid: int, params: Mapping[str, Param]) -> Upid:
        """Create a VM; disks may be imported (`scsi0=store:0,import-from=…`). Exists if taken."""
        form = _form({**params, "vmid": vmid})
        return self._task("POST", "/nodes/{node}/qemu", form, node=node)

    def clone_vm(
        self,
        node: str,
        template: int,
        vmid: int,
        *,
        name: str,
        description: str,
        pool: str | None = None,
        storage: str | None = None,
        full: bool = True,
    ) -> Upid:
        """Clone a template on its own node. A linked clone (`full=False`) takes no storage."""
        form: dict[str, Param] = {
            "newid": vmid,
            "name": name,
            "description": description,
            "full": full,
        }
        if pool is not None:
            form["pool"] = pool
        if storage is not None:
            form["storage"] = storage
        return self._task(
            "POST", "/nodes/{node}/qemu/{vmid}/clone", _form(form), node=node, vmid=template
        )

    def set_config(
        self,
        node: str,
        vmid: int,
        changes: Mapping[str, Param],
        *,
        delete: Collection[str] = (),
        digest: str | None = None,
    ) -> Upid:
        """Change a configuration; new disks are made in the task. Raises Changed on the digest.

        The asynchronous form (POST): the synchronous one keeps one of the node's three workers.
        """
        form = _form(changes)
        if delete:
            form["delete"] = ",".join(sorted(delete))
        if digest is not None:
            form["digest"] = digest
        return self._task("POST", "/nodes/{node}/qemu/{vmid}/config", form, node=node, vmid=vmid)

    def write_cloud_init(self, node: str, vmid: int) -> None:
        """Write the cloud-init drive anew from the configuration; the guest reads it as it
        starts."""
        self._transport.write(
            "PUT", "/nodes/{node}/qemu/{vmid}/cloudinit", {}, node=node, vmid=vmid
        )

    def resize_disk(
        self, node: str, vmid: int, slot: str, size: MiB, *, digest: str | None = None
    ) -> Upid:
        """Grow a disk to an absolute size. PVE refuses to shrink, in the task."""
        form: dict[str, Param] = {"disk": slot, "size": f"{size}M"}
        if digest is not None:
            form["digest"] = digest
        return self._task(
            "PUT", "/nodes/{node}/qemu/{vmid}/resize", _form(form), node=node, vmid=vmid
        )

    def move_disk(
        self, node: str, vmid: int, slot: str, storage: str, *, digest: str | None = None
    ) -> Upid:
        """Copy a disk to another storage, of a VM that runs too, and then delete the former
        volume; where that fails it stays as `unusedN`. A disk that a vm_snapshot needs is
        refused."""
        form: dict[str, Param] = {"disk": slot, "storage": storage, "delete": True}
        if digest is not None:
            form["digest"] = digest
        return self._task(
            "POST", "/nodes/{node}/qemu/{vmid}/move_disk", _form(form), node=node, vmid=vmid
        )

    def start(self, node: str, vmid: int) -> Upid:
        """Start it. For an HA resource the task only requests the start: look at its state."""
        return self._task(
            "POST", "/nodes/{node}/qemu/{vmid}/status/start", {}, node=node, vmid=vmid
        )

    def stop(self, node: str, vmid: int) -> Upid:
        """Switch it off hard. For an HA resource the task only requests it."""
        return self._task("POST", "/nodes/{node}/qemu/{vmid}/status/stop", {}, node=node, vmid=vmid)

    def migrate(self, node: str, vmid: int, target: str, *, online: bool) -> Upid:
        """Move a VM that HA does not manage; alive with `online`. Disks that the target has no
        replica of are copied to the storage of the same id."""
        form = _form({"target": target, "online": online, "with-local-disks": True})
        return self._task("POST", "/nodes/{node}/qemu/{vmid}/migrate", form, node=node, vmid=vmid)

    def destroy(self, node: str, vmid: int) -> Upid:
        """Destroy a stopped VM, its unreferenced disks and its entries in jobs, ACLs and HA."""
        query = {"purge": "1", "destroy-unreferenced-disks": "1"}
        answer = self._transport.delete("/nodes/{node}/qemu/{vmid}", query, node=node, vmid=vmid)
        return self._upid("DELETE /nodes/{node}/qemu/{vmid}", answer)

    # -- HA ------------------------------------------------------------------------------------
    def ha_resources(self) -> Mapping[str, HaResource]:
        """Managed resources by sid (`vm:10001`), as the HA manager sees them."""
        return picture.read_ha_status(self._transport).resources

    def ha_rules(self) -> tuple[HaRule, ...]:
        """The rules of 9, or the groups of 8. Read back after a write: PVE disables some."""
        self._flavour, rules = picture.read_ha_rules(
            self._transport, self._flavour, rules_first=not self.version().startswith(("7", "8"))
        )
        return rules

    def add_ha_resource(
        self, vmid: int, *, state: str = "started", group: str | None = None
    ) -> None:
        """Put a VM under HA. Raises Exists if it is. `group` is for clusters with groups."""
        form: dict[str, Param] = {"sid": f"vm:{vmid}", "state": state}
        if group is not None:
            form["group"] = group
        self._transport.write("POST", "/cluster/ha/resources", _form(form))

    def set_ha_resource(
        self,
        vmid: int,
        *,
        state: str | None = None,
        group: str | None = None,
        no_group: bool = False,
    ) -> None:
        """Request a state (started, stopped, disabled, ignored), or move it to another group, or
        out of its group."""
        form: dict[str, Param] = {}
        if state is not None:
            form["state"] = state
        if group is not None:
            form["group"] = group
        if no_group:
            form["delete"] = "group"
        self._transport.write("PUT", "/cluster/ha/resources/{sid}", _form(form), sid=f"vm:{vmid}")

    def migrate_ha_resource(self, vmid: int, target: str) -> None:
        """Ask the HA manager to move a VM. That it answers proves nothing: PVE 8.4 and
        9.2 say the same where a rule forbids the node, and the VM stays."""
        path = "/cluster/ha/resources/{sid}/migrate"
        self._transport.write("POST", path, {"node": target}, sid=f"vm:{vmid}")

    def remove_ha_resource(self, vmid: int) -> None:
        """Take a VM out of HA; 9 also takes it out of the rules. Raises NotFound if it is not."""
        self._transport.delete("/cluster/ha/resources/{sid}", sid=f"vm:{vmid}")

    def create_ha_rule(self, rule: HaRule) -> None:
        """Create a rule (kinds `node-affinity`, `resource-affinity`) or a `group`.

        Raises Exists for a taken group name; a rule's name is taken silently by PVE's parameter
        check (`pve.parameter`) or with Exists. Read it back: it may be accepted and disabled.
        """
        if rule.kind == "group":
            form = _group_form(rule) | {"group": rule.name}
            self._transport.write("POST", "/cluster/ha/groups", form)
        else:
            form = _rule_form(rule) | {"rule": rule.name}
            self._transport.write("POST", "/cluster/ha/rules", form)

    def update_ha_rule(self, rule: HaRule) -> None:
        """Replace resources, nodes and switches of a rule or group.

        With the digest that was read, Changed is raised if another hand was faster.
        """
        digest = {} if rule.digest is None else {"digest": rule.digest}
        if rule.kind == "group":
            self._transport.write(
                "PUT", "/cluster/ha/groups/{id}", _group_form(rule) | digest, id=rule.name
            )
            return
        form = _rule_form(rule) | digest
        if rule.enabled:
            form["delete"] = "disable"
        self._transport.write("PUT", "/cluster/ha/rules/{id}", form, id=rule.name)

    def delete_ha_rule(self, rule: HaRule) -> None:
        """Delete a rule or group. PVE answers 200 for one that is not there."""
        folder = "groups" if rule.kind == "group" else "rules"
        self._transport.delete(f"/cluster/ha/{folder}/{{id}}", id=rule.name)

    # -- tasks ---------------------------------------------------------------------------------
    def tasks(self) -> Mapping[Upid, str | None]:
        """The recent tasks of all nodes → their exit status; None while one runs.

        PVE keeps a few dozen finished tasks per node here: one that is missing may have ended.
        """
        found: dict[Upid, str | None] = {}
        for one in picture.read_rows(self._transport, "/cluster/tasks"):
            upid = parse_upid(one.text("upid"))
            if upid is not None:
                ended = "endtime" in one
                found[upid] = one.text("status", "unexpected status") if ended else None
        return found

    def running_tasks(self, node: str) -> frozenset[Upid]:
        """The tasks that a node runs now."""
        query = {"source": "active", "limit": "500"}
        found = picture.read_rows(self._transport, "/nodes/{node}/tasks", query, node=node)
        upids = [parse_upid(one.text("upid")) for one in found if "endtime" not in one]
        return frozenset(upid for upid in upids if upid is not None)

    def task_status(self, upid: Upid) -> str | None:
        """One task's exit status from its own node; None while it runs. Raises NotFound."""
        template = "/nodes/{node}/tasks/{upid}/status"
        try:
            answer = self._row(template, node=upid_node(upid), upid=upid)
        except WrongParameter as error:
            raise not_found(error, "upid") from None
        if answer.text("status") == "running":
            return None
        return answer.text("exitstatus", "unexpected status")

    def task_log(self, upid: Upid) -> tuple[str, ...]:
        """The last LOG_LINES lines of a task's log."""
        template = "/nodes/{node}/tasks/{upid}/log"
        found = picture.read_rows(
            self._transport, template, {"limit": "1000"}, node=upid_node(upid), upid=upid
        )
        return tuple(line.text("t", "")[:200] for line in found[-LOG_LINES:])


def _nodes(rule: HaRule) -> str:
    """`pve1,pve2:2`. Raises ValueError for none: 8 takes it and then refuses every later write."""
    if not rule.nodes:
        raise ValueError(f"{rule.name}: no nodes")
    return ",".join(
        f"{name}:{priority}" if priority else name for name, priority in sorted(rule.nodes.items())
    )


def _group_form(rule: HaRule) -> dict[str, str]:
    # nofailback: a VM that came back to its node by itself would run from a stale replica
    return {"nodes": _nodes(rule), "restricted": str(int(rule.strict)), "nofailback": "1"}


def _rule_form(rule: HaRule) -> dict[str, str]:
    form = {"type": rule.kind, "resources": ",".join(sorted(rule.resources))}
    if rule.kind == "node-affinity":
        form |= {"nodes": _nodes(rule), "strict": str(int(rule.strict))}
    else:
        form["affinity"] = "positive" if rule.positive else "negative"
    if not rule.enabled:
        form["disable"] = "1"
    return form
