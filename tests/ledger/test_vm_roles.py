"""What was set up inside VMs: the last outcome of each role, the first host key of each VM."""

from datetime import timedelta

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Ledger, RoleOutcome, RoleResult
from cloudpemda.units import Instant
from tests.ledger.makers import OPERATOR, applying, pools, wanted, workload

DONE, FAILED, UNREACHABLE = RoleResult.DONE, RoleResult.FAILED, RoleResult.UNREACHABLE
FIRST, SECOND = "ssh-ed25519 AAAA", "ssh-ed25519 BBBB"


@pytest.fixture
def uid(ledger: Ledger) -> str:
    spec = workload()
    applying(ledger, spec)
    claimed = ledger.instances.claim(
        spec.key, wanted(spec), vmid_range=range(10000, 10100), pools=pools(), taken_vmids={},
        actor=OPERATOR,
    )  # fmt: skip
    return claimed[0].uid


@pytest.mark.parametrize(
    ("ended", "left"),
    [
        ([("a", DONE)], ("a", DONE)),
        ([("a", DONE), ("a", FAILED)], ("a", FAILED)),
        ([("a", DONE), ("a", UNREACHABLE)], ("a", DONE)),
        ([("a", DONE), ("b", UNREACHABLE)], ("b", UNREACHABLE)),
        ([("a", FAILED), ("a", UNREACHABLE)], ("a", UNREACHABLE)),
    ],
)
def test_the_last_outcome_stands_but_silence_undoes_nothing(
    ledger: Ledger, uid: str, ended: list[tuple[str, RoleResult]], left: tuple[str, RoleResult]
) -> None:
    for digest, result in ended:
        ledger.vm_roles.note(uid, [RoleOutcome("nginx", digest, result, 3)], None, OPERATOR)
    found = ledger.vm_roles.by_vm()[uid, "nginx"]
    assert (found.digest, found.result) == left
    assert len(ledger.audit.log(action="vm.configured")) == len(ended)
    assert ledger.audit.verify() == ()


def test_the_first_host_key_stays_until_it_is_forgotten(ledger: Ledger, uid: str) -> None:
    book = ledger.vm_roles
    book.note(uid, [], FIRST, OPERATOR)
    book.note(uid, [], SECOND, OPERATOR)
    assert book.host_keys() == {uid: FIRST}
    assert book.forget_host_key(uid, OPERATOR)
    assert not book.forget_host_key(uid, OPERATOR)
    book.note(uid, [], SECOND, OPERATOR)
    assert book.host_keys() == {uid: SECOND}
    (entry,) = ledger.audit.log(action="vm.host-key-forgotten")
    assert entry.details["host_key"] == FIRST
    with pytest.raises(Refused, match=r"ledger\.no-instance"):
        book.note("nobody", [], FIRST, OPERATOR)


def test_what_was_done_after_a_state_awaits_once_the_vm_goes_back_to_it(
    ledger: Ledger, uid: str
) -> None:
    book = ledger.vm_roles
    book.note(uid, [RoleOutcome("nginx", "a", DONE)], FIRST, OPERATOR)
    before = book.by_vm()[uid, "nginx"].at
    assert book.undo_since(uid, Instant(before + timedelta(seconds=1)), OPERATOR) == ()
    assert book.undo_since(uid, before, OPERATOR) == ("nginx",)
    assert book.undo_since(uid, before, OPERATOR) == ()
    assert book.by_vm() == {}
    assert book.host_keys() == {uid: FIRST}
    (entry,) = ledger.audit.log(action="vm.roles-await")
    assert entry.details["roles"] == "nginx"


def test_what_is_released_is_forgotten(ledger: Ledger, uid: str) -> None:
    ledger.vm_roles.note(uid, [RoleOutcome("nginx", "a", DONE)], FIRST, OPERATOR)
    ledger.instances.release(uid, actor=OPERATOR)
    assert (ledger.vm_roles.by_vm(), ledger.vm_roles.host_keys()) == ({}, {})
