"""What must hold while VMs live, change and end: looked for in the lab after each deed, and judged
at the end, by rules that are written once more here.

At every moment: nobody else's VM is touched; what a purge released has left nothing in PVE, but
for volumes that are listed as orphans; what stands there is charged with at least what it has;
nothing that was given back is given again before it has rested.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudpemda.ledger import InstanceRecord, InstanceState, Orphan, RequestRecord
from cloudpemda.rules.quota import Balance
from cloudpemda.usecases.desk import Desk
from tests.labs import Control

_STORED = {"local-zfs": "disk.ssd", "tank-hdd": "disk.hdd"}
_UNITS = {"M": 1, "G": 1024, "T": 1024 * 1024}
_PROTECTED = ("ha_resources", "ha_rules", "ha_groups", "replication", "backup_jobs")


@dataclass
class Witness:
    """Sees one history from outside."""

    desk: Desk
    control: Control
    rest: float  # seconds
    known: dict[str, InstanceRecord] = field(default_factory=dict)  # by uid, as last seen
    gone: dict[str, float] = field(default_factory=dict)  # uid → when its release was seen
    strays: set[int] = field(default_factory=set)  # VMIDs whose VM another hand has deleted

    def look(
        self,
        strangers: Mapping[int, Mapping[str, Any]],
        grown: Collection[str],
        lost: Collection[str],
    ) -> None:
        """`strangers` are others' VMs as they were made; `grown` and `lost` are what was made
        larger, and deleted, by hand."""
        dc = self.control.state()["dc"]
        ledger = self.desk.ledger
        instances = ledger.instances.list()
        orphans = ledger.orphans.list()
        charges = ledger.quota.by_instance(set(self.desk.site.opds))
        for vmid, config in strangers.items():
            there = dc["vms"].get(str(vmid))
            assert there is not None, f"the stranger {vmid} was destroyed"
            assert there["config"] == config, f"the stranger {vmid} was changed"
        self._rested(instances)
        self.strays |= {one.vmid for uid, one in self.known.items() if uid in lost}
        given = {one.vmid for one in instances}
        for uid in self.gone:
            self._gone_whole(dc, self.known[uid], given | set(strangers), orphans)
        for one in instances:
            if one.uid not in grown:
                self._charged(dc, one, charges.get(one.key, {}))

    def _rested(self, instances: Sequence[InstanceRecord]) -> None:
        """No VMID under which something may have stood, and no address of what lived, comes back
        before its time."""
        now = self.control.now()
        there = {one.uid: one for one in instances}
        for uid, one in there.items():
            if uid in self.known and uid not in self.gone:
                continue
            for other, since in self.gone.items():
                before = self.known[other]
                if now - since >= self.rest:
                    continue
                assert one.vmid != before.vmid or before.node is None, f"{one.vmid} did not rest"
                both = _addresses(one) & _addresses(before)
                assert not both or before.active_since is None, f"{both} did not rest"
        for uid in self.known:
            if uid not in there:
                self.gone.setdefault(uid, now)
        self.known |= there

    def _gone_whole(
        self,
        dc: Mapping[str, Any],
        one: InstanceRecord,
        taken: Collection[int],
        orphans: Sequence[Orphan],
    ) -> None:
        """Of what was released nothing is left, or it is listed and charged."""
        for vm in dc["vms"].values():
            said = f"{vm['config'].get('description', '')} "
            assert f"uid={one.uid} " not in said, f"{one.key} was released and stands there"
        if one.vmid in taken or one.vmid in self.strays:
            return  # what another hand takes away leaves its jobs and copies: drift names them
        for name, entry in _mentions(dc):
            assert one.vmid not in entry, f"{one.key} was released, and {name} names it"
        listed = {(orphan.node, orphan.volume) for orphan in orphans}
        for volume in dc["volumes"]:
            if volume["content"] == "images" and volume["vmid"] == one.vmid:
                place = (volume["node"], volume["volid"])
                assert place in listed, f"nobody lists {place} of {one.key}"

    def _charged(
        self, dc: Mapping[str, Any], one: InstanceRecord, charges: Mapping[str, Balance]
    ) -> None:
        """As long as it stands there it is charged with what it runs with and lies on."""
        vm = dc["vms"].get(str(one.vmid))
        if vm is None or f"uid={one.uid} " not in f"{vm['config'].get('description', '')} ":
            return
        jobs = sum(
            1
            for job in dc["replication"].values()
            if _vmid_of_job(job["name"]) == one.vmid and not job["options"].get("remove_job")
        )
        for name, used in measured(vm["config"], jobs).items():
            balance = charges.get(name)
            charged = balance.committed + balance.held if balance else 0
            assert charged >= used, f"{one.key} uses {used} {name}, and is charged {charged}"

    # -- at the end ------------------------------------------------------------------------
    def judge(
        self, records: Sequence[RequestRecord], strangers: Mapping[int, Mapping[str, Any]]
    ) -> None:
        """When nothing is left to do: everything stands as its state says."""
        dc = self.control.state()["dc"]
        requests = {one.number: one for one in records}
        ledger = self.desk.ledger
        instances = ledger.instances.list()
        # Whose volumes lie under a stranger's VMID nobody can say: they stay listed.
        orphans = [one for one in ledger.orphans.list() if one.vmid not in strangers]
        assert orphans == [], "orphans are left, and all nodes are there"
        stops = set(ledger.stops.by_uid())
        classes = self.desk.site.catalogue.service_classes
        for one in instances:
            vm = dc["vms"].get(str(one.vmid))
            if one.state is InstanceState.RETIRED:
                self._rests(dc, one)
            elif one.state is InstanceState.ACTIVE:
                assert vm is not None, f"{one.key} is active and not there"
                assert f"uid={one.uid} " in f"{vm['config']['description']} ", one.key
                assert one.vmid in dc["pools"][f"opd-{one.opd}"]["vms"], f"{one.key}: no pool"
                running = vm["status"] == "running"
                assert running is (one.uid not in stops), f"{one.key} is {vm['status']}"
                name = requests[one.number].spec.service_class
                self._protected(dc, one, classes[name], name, stopped=not running)
            else:
                left = one.state in {InstanceState.PLANNED, InstanceState.FAILED}
                assert left, f"{one.key} is {one.state}"
                assert vm is None or one.vmid in strangers, f"{one.key} is {one.state}, and stands"
        with_copies = ledger.instances.list(copies=True)
        known = {one.vmid for one in with_copies} | set(strangers)
        for vmid, vm in dc["vms"].items():
            text = vm["config"].get("description", "")
            assert int(vmid) in known or "uid=" not in text, f"{vmid} is nobody's: {text}"
        for volume in dc["volumes"]:
            if volume["content"] == "images" and volume["vmid"] not in self.strays:
                assert str(volume["vmid"]) in dc["vms"], f"orphan volume {volume}"

    def _rests(self, dc: Mapping[str, Any], one: InstanceRecord) -> None:
        vm = dc["vms"][str(one.vmid)]
        assert vm["status"] == "stopped", f"{one.key} is retired and {vm['status']}"
        assert f"vm:{one.vmid}" not in dc["ha_resources"], f"{one.key} is retired and under HA"
        assert vm["config"].get("onboot", "0") == "0", f"{one.key} is retired and starts at boot"

    def _protected(
        self, dc: Mapping[str, Any], one: InstanceRecord, service: Any, name: str, *, stopped: bool
    ) -> None:
        resource = dc["ha_resources"].get(f"vm:{one.vmid}")
        assert (resource is not None) is service.ha, f"{one.key} {name}: HA is {resource}"
        if resource is not None:
            wanted = "stopped" if stopped else "started"
            assert resource["options"]["state"] == wanted, f"{one.key}: {resource}"
        jobs = [job for job in dc["replication"] if _vmid_of_job(job) == one.vmid]
        targets = service.replication.targets if service.replication else 0
        assert len(jobs) == targets, f"{one.key} {name}: {jobs}"
        listed = [
            job["name"]
            for job in dc["backup_jobs"].values()
            if one.vmid in _numbers(job["options"].get("vmid", ""))
        ]
        assert listed == [f"cloudpemda-{name}"], f"{one.key} {name}: {listed}"


def measured(config: Mapping[str, str], copies: int) -> Mapping[str, int]:
    """What a VM takes of its OPD's quota, reckoned from PVE's own words; sizes in MiB."""
    found = {
        "instances": 1,
        "vcpu": int(config.get("cores", 1)) * int(config.get("sockets", 1)),
        "memory": int(config.get("memory", 512)),
    }
    for slot, value in config.items():
        if slot.startswith("scsi") and slot != "scsihw" and "media=cdrom" not in value:
            storage = value.partition(":")[0]
            options = dict(part.partition("=")[::2] for part in value.split(","))
            size = options.get("size", "0M")
            mib = int(size[:-1]) * _UNITS[size[-1]]
            times = 1 + (copies if options.get("replicate", "1") != "0" else 0)
            name = _STORED[storage]
            found[name] = found.get(name, 0) + mib * times
    return found


def _mentions(dc: Mapping[str, Any]) -> list[tuple[str, frozenset[int]]]:
    """What in PVE names VMs, and which."""
    found = [(f"HA resource {sid}", frozenset({int(sid[3:])})) for sid in dc["ha_resources"]]
    found += [(f"job {name}", frozenset({_vmid_of_job(name)})) for name in dc["replication"]]
    for rule in dc["ha_rules"].values():
        sids = rule["options"].get("resources", "").split(",")
        named = frozenset(int(sid.strip()[3:]) for sid in sids if sid.strip())
        found.append((f"rule {rule['name']}", named))
    for name in dc["ha_groups"]:
        found.append((f"group {name}", frozenset({int(name.rpartition("-")[2])})))
    for job in dc["backup_jobs"].values():
        found.append((f"job {job['name']}", _numbers(job["options"].get("vmid", ""))))
    for name, pool in dc["pools"].items():
        found.append((f"pool {name}", frozenset(pool["vms"])))
    return found


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(one) for one in text.split(",") if one)


def _vmid_of_job(name: str) -> int:
    return int(name.partition("-")[0])


def _addresses(one: InstanceRecord) -> frozenset[str]:
    return frozenset(
        str(address) for nic in one.nics for address in (nic.address, nic.public_address) if address
    )
