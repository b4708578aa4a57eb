"""What must hold at the end of a history: ledger and lab, side by side."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudpemda.ledger import InstanceRecord, InstanceState, RequestState
from cloudpemda.rules.quota import scope_of
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.plan import plan
from tests.labs import Control


@dataclass
class Judge:
    """Ledger and lab side by side."""

    desk: Callable[[str], Desk]
    control: Control
    strangers: Mapping[int, Mapping[str, Any]]  # VMIDs of somebody else's VMs → configuration
    tally: Counter[str]

    def judge(self) -> None:
        """Raises AssertionError for the first thing that does not hold."""
        dc = self.control.state()["dc"]
        with self.desk("rudi") as desk:
            instances = desk.ledger.instances.list()
            active = [one for one in instances if one.state is InstanceState.ACTIVE]
            kept = [one for one in instances if one.state is InstanceState.RETIRED]
            charged = [*active, *kept]  # one in quarantine can come back
            absent = [one for one in instances if one not in charged]
            self._no_stranger_touched(dc)
            self._every_vm_is_known_once(dc, charged)
            for one in active:
                self._protected(dc, one, desk)
            for one in kept:
                self._stands_still(dc, one)
            self._nothing_left(dc, charged, absent)
            self._quota(desk, charged)
            assert desk.ledger.audit.verify() == ()
            done = [
                one.key
                for one in desk.ledger.requests.list()
                if one.state is RequestState.ACTIVE and not one.change_approved
            ]
            if done:
                found = plan(desk, done)
                assert not found.errors, found.errors
                assert all(one.plan.settled for one in found.planned), "the plan is not settled"
        self.tally["active"] += len(active)
        self.tally["VMID reclaimed"] += sum(one.vmid not in self.strangers and any(
            entry.action == "instance.reclaim" and entry.subject == one.key
            for entry in self._log
        ) for one in active)  # fmt: skip

    @property
    def _log(self) -> Any:
        with self.desk("yanti") as desk:
            return desk.ledger.audit.log()

    def _no_stranger_touched(self, dc: Mapping[str, Any]) -> None:
        for vmid, config in self.strangers.items():
            assert dc["vms"][str(vmid)]["config"] == config, f"stranger {vmid} was changed"

    def _every_vm_is_known_once(self, dc: Mapping[str, Any], charged: list[InstanceRecord]) -> None:
        ours = {
            int(vmid): vm["config"].get("description", "")
            for vmid, vm in dc["vms"].items()
            if int(vmid) not in self.strangers
        }
        known = {one.vmid: one for one in charged}
        assert set(ours) == set(known), f"lab has {sorted(ours)}, ledger {sorted(known)}"
        for vmid, text in ours.items():
            assert f"uid={known[vmid].uid} " in text, f"VM {vmid} does not carry its uid"

    def _protected(self, dc: Mapping[str, Any], one: InstanceRecord, desk: Desk) -> None:
        vm = dc["vms"][str(one.vmid)]
        assert vm["status"] == "running", f"{one.key} is {vm['status']}"
        assert "lock" not in vm["config"], f"{one.key} is locked"
        assert one.vmid in dc["pools"][f"opd-{one.opd}"]["vms"], f"{one.key} is in no pool"
        request = desk.ledger.requests.get(one.number)
        service_class = desk.site.catalogue.service_classes[request.spec.service_class]
        if service_class.ha:
            assert dc["ha_resources"][f"vm:{one.vmid}"]["options"]["state"] == "started", one.key
        if service_class.replication:
            jobs = [name for name in dc["replication"] if name.startswith(f"{one.vmid}-")]
            assert len(jobs) == service_class.replication.targets, f"{one.key}: {jobs}"
            assert f"cloudpemda-{one.vmid}" in {*dc["ha_rules"], *dc["ha_groups"]}, one.key
        listed = [
            name
            for name, job in dc["backup_jobs"].items()
            if str(one.vmid) in job["options"].get("vmid", "").split(",")
        ]
        assert listed == [f"cloudpemda-{request.spec.service_class}"], f"{one.key}: {listed}"

    def _stands_still(self, dc: Mapping[str, Any], one: InstanceRecord) -> None:
        assert dc["vms"][str(one.vmid)]["status"] == "stopped", f"{one.key} runs in quarantine"
        assert f"vm:{one.vmid}" not in dc["ha_resources"], f"HA may start {one.key}"

    def _nothing_left(
        self,
        dc: Mapping[str, Any],
        charged: list[InstanceRecord],
        absent: list[InstanceRecord],
    ) -> None:
        there = {one.vmid for one in charged}
        for one in absent:
            assert one.state in {InstanceState.FAILED, InstanceState.PLANNED}, one
        for volume in dc["volumes"]:
            if volume["content"] == "images":
                assert volume["vmid"] in there, f"orphan volume {volume['volid']}"
        assert {int(sid.removeprefix("vm:")) for sid in dc["ha_resources"]} <= there
        assert {int(name.partition("-")[0]) for name in dc["replication"]} <= there
        for name in dc["ha_groups"]:
            assert int(name.removeprefix("cloudpemda-")) in there, f"group {name} is left"
        for rule in dc["ha_rules"].values():
            named = {int(sid.strip()[3:]) for sid in rule["options"]["resources"].split(",")}
            assert named <= there, f"rule {rule['name']} names {named - there}"
        for job in dc["backup_jobs"].values():
            named = {int(vmid) for vmid in job["options"]["vmid"].split(",")}
            assert named <= there, f"backup job {job['name']} names {named - there}"

    def _quota(self, desk: Desk, charged: list[InstanceRecord]) -> None:
        """No OPD, with those below it, stands above a limit; what is committed is what there is."""
        for opd in desk.site.opds:
            below = scope_of(opd, desk.site.opds)
            balances = desk.ledger.quota.balances(below)
            for dimension, limit in desk.site.effective_quota(opd).items():
                balance = balances.get(dimension)
                total = balance.committed + balance.held if balance else 0
                assert limit is None or total <= limit, f"{opd} {dimension}: {total} > {limit}"
            own = sum(one.opd in below for one in charged)
            committed = balances["instances"].committed if "instances" in balances else 0
            assert committed == own, f"{opd}: {committed} committed, {own} there"
