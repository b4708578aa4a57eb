"""`expose`: what it means, that it is no news to what was handed in before, and how it changes."""

from dataclasses import replace

from cloudpemda.request.change import What, changes, refusals
from cloudpemda.request.spec import ExposeSpec, WorkloadSpec, from_canonical_json
from tests.plan.requests import DB, SPEC

HTTPS = ExposeSpec(443, "tcp", "internet")
SSH = ExposeSpec(22, "tcp", "opd")


def exposing(*ports: ExposeSpec) -> WorkloadSpec:
    return replace(SPEC, vms=(replace(DB, expose=ports),))


def test_a_request_without_it_has_the_canonical_form_that_it_always_had() -> None:
    assert "expose" not in SPEC.canonical_json
    assert from_canonical_json(SPEC.canonical_json) == SPEC


def test_nothing_and_no_port_are_two_meanings_and_survive_the_ledger() -> None:
    closed, open_ = exposing(), exposing(SSH, HTTPS)
    assert len({SPEC.spec_hash, closed.spec_hash, open_.spec_hash}) == 3
    for one in (closed, open_):
        assert from_canonical_json(one.canonical_json) == one


def test_ports_that_come_and_go_are_changes() -> None:
    found = changes(exposing(SSH), exposing(HTTPS))
    assert [(one.what, one.before, one.after, one.grows) for one in found] == [
        (What.UNEXPOSED, "22/tcp opd", None, False),
        (What.EXPOSED, None, "443/tcp internet", True),
    ]
    assert not any(one.restart for one in found)


def test_a_firewall_comes_but_never_goes() -> None:
    assert [one.what for one in changes(SPEC, exposing())] == [What.FIREWALL]
    assert refusals(SPEC, exposing(SSH), allow_retire=False) == ()
    (fault,) = refusals(exposing(SSH), SPEC, allow_retire=True)
    assert (fault.code, fault.path) == ("request.expose-stays", "spec.vms[db]")
