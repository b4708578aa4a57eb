"""Nodes that are kept empty: known to all, noted once, in the audit log."""

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Actor, Ledger

RUDI = Actor("rudi", "Rudi Hartono", "operator")
HENDRA = Actor("hendra", "Hendra", "operator")


def test_a_node_is_noted_once_until_it_returns(ledger: Ledger) -> None:
    first = ledger.drains.begin("dc", "pve2", " Ganti RAM ", RUDI)
    assert (first.reason, first.person) == ("Ganti RAM", RUDI.name)
    assert ledger.drains.begin("dc", "pve2", "", HENDRA) == first
    other = ledger.drains.begin("drc", "pve2", "Uji UPS", HENDRA)
    assert ledger.drains.list() == (first, other)
    assert ledger.drains.list("drc") == (other,)
    assert ledger.drains.end("dc", "pve2", HENDRA) == first
    assert ledger.drains.end("dc", "pve2", HENDRA) is None
    assert ledger.drains.list() == (other,)
    said = [(one.action, one.subject) for one in ledger.audit.log()]
    assert sorted(said) == [
        ("node.drain", "dc/pve2"), ("node.drain", "drc/pve2"), ("node.return", "dc/pve2"),
    ]  # fmt: skip
    assert ledger.audit.verify() == ()


def test_a_node_that_goes_out_of_use_needs_a_reason(ledger: Ledger) -> None:
    with pytest.raises(Refused) as refusal:
        ledger.drains.begin("dc", "pve2", " ", RUDI)
    assert refusal.value.code == "ledger.reason-missing"
    assert ledger.drains.list() == ()
