"""Who is a stranger, who a copy, and what is configured without being in effect."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cloudpemda.cluster import ClusterState, Vm, VmStatus
from cloudpemda.ledger import InstanceRecord, InstanceState
from cloudpemda.messages import explain
from cloudpemda.report.oddities import is_stray, oddities, owned, strangers
from cloudpemda.units import Cores, Instant, MiB
from tests.clusters.load import cluster
from tests.plan.live import applied, live_vm, with_vm
from tests.plan.values import desired

VM = desired(1)
STATE = applied(cluster("three-nodes-empty"), (VM,))
RECORD = InstanceRecord(
    uid=VM.identity.uid,
    key=VM.key,
    opd="dinkes",
    number="2026-0001",
    member="db-1",
    name=VM.name,
    cluster="dc",
    vmid=VM.identity.vmid,
    role="primary",
    state=InstanceState.ACTIVE,
    node=VM.node,
    storages={},
    targets=(),
    error=None,
    active_since=None,
    nics=(),
    changed_at=Instant(datetime(2026, 11, 20, 1, tzinfo=UTC)),
)


def other(**raw: str) -> Vm:
    """A VM under VMID 999 that is otherwise as ours, but for these keys."""
    return replace(live_vm(VM, **raw), vmid=999)


def said(state: ClusterState, *records: InstanceRecord) -> list[tuple[str, str | None]]:
    """Code and OPD of what was found, each with a complete text."""
    found = [*strangers(state, records), *oddities(state, records)]
    for one in found:
        for text in (*explain(one.fault.code, "en", one.fault.values),
                     *explain(one.fault.code, "id", one.fault.values)):  # fmt: skip
            assert text
            assert "?" not in text
    return [(one.fault.code, one.opd) for one in found]


def test_what_the_ledger_knows_where_it_knows_it_is_nothing_odd() -> None:
    assert said(STATE, RECORD) == []


def test_a_second_vm_with_our_uid_is_a_copy_whatever_its_role_and_place() -> None:
    assert said(with_vm(STATE, other()), RECORD) == [("survey.copy", "dinkes")]
    drill = VM.description.replace("role=primary", "role=drill")
    assert said(with_vm(STATE, other(description=drill)), RECORD) == [("survey.copy", "dinkes")]
    elsewhere = replace(RECORD, cluster="drc")
    assert said(STATE, elsewhere) == [("survey.copy", "dinkes")]


def test_a_vm_left_under_a_vmid_that_was_given_up_is_a_copy() -> None:
    assert said(STATE, replace(RECORD, vmid=10002)) == [("survey.copy", "dinkes")]


@pytest.mark.parametrize("state", [InstanceState.PLANNED, InstanceState.FAILED])
def test_what_was_never_made_owns_nothing(state: InstanceState) -> None:
    never = replace(RECORD, uid="uid-9", state=state)
    assert owned("dc", [never]) == frozenset()
    assert said(STATE, never) == [("survey.nobody", None)]


def test_who_calls_itself_ours_and_is_unknown_is_nobodys_even_unread() -> None:
    assert said(STATE) == [("survey.nobody", None)]
    assert said(with_vm(STATE, replace(other(), config=None)), RECORD) == [("survey.nobody", None)]


def test_others_and_templates_for_ours_are_no_strangers() -> None:
    template = replace(other(description="for new VMs"), template=True)
    assert said(with_vm(STATE, template), RECORD) == []
    untagged = replace(other(), tags=frozenset({"web"}))
    assert not is_stray(untagged, ())
    assert said(with_vm(STATE, replace(untagged, config=None)), RECORD) == []


def test_what_runs_otherwise_than_configured_is_pending() -> None:
    there = STATE.vms[RECORD.vmid]
    slim = replace(there, cores=Cores(1), memory=MiB(1024))
    assert said(with_vm(STATE, slim), RECORD) == [("survey.pending", "dinkes")] * 2
    assert said(with_vm(STATE, replace(slim, status=VmStatus.STOPPED)), RECORD) == []


def test_no_quorum_is_the_sites() -> None:
    assert said(replace(STATE, quorate=False), RECORD) == [("survey.no-quorum", None)]
