"""`roles`: a closed list with strict settings, no news to what was handed in before."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cloudpemda.request import read_any
from cloudpemda.request.change import What, changes
from cloudpemda.request.roles import RoleSpec, digest_of
from cloudpemda.request.spec import ADOPTED, from_canonical_json
from cloudpemda.request.write import write as document_of
from tests.plan.requests import DB, SPEC
from tests.request.documents import valid, write
from tests.request.test_read import FLAVORS, faults_of, spec_of, vm

DATABASE = RoleSpec("postgresql", (("database", "simrs"),))
HOSTILE = (
    "{{ lookup('pipe','id') }}", "{% for x in y %}", "$(id)", "`id`", "'; DROP TABLE x; --",
    'a"b', "a\nb", "a\n", "a b", "-v", "../x", "_", "", "a;b", "\u0430",
)  # fmt: skip
Change = Callable[[dict[str, Any]], object]


def test_a_request_without_them_has_the_canonical_form_that_it_always_had() -> None:
    assert "roles" not in SPEC.canonical_json
    empty = valid()
    vm(empty).update(roles=[])
    assert spec_of(empty).spec_hash == spec_of(valid()).spec_hash


def test_they_survive_the_ledger_and_the_document() -> None:
    tree = valid()
    vm(tree).update(
        roles=["postgresql", "nginx", "nginx"],
        nginx={"serverName": "simrs.example.go.id", "proxyPort": 8080},
        postgresql={"database": "simrs"},
    )
    spec = spec_of(tree)
    first = spec.vms[0] if spec.vms[0].roles else spec.vms[1]
    web = RoleSpec("nginx", (("proxyPort", "8080"), ("serverName", "simrs.example.go.id")))
    assert first.roles == (web, DATABASE)
    assert from_canonical_json(spec.canonical_json) == spec
    assert read_any(document_of(spec).encode(), "f.yaml", FLAVORS) == spec


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        (lambda t: vm(t).update(roles=["mysql"]), "document.choice", "roles[0]"),
        (lambda t: vm(t).update(nginx={"proxyPort": 8080}), "request.role-missing", "nginx"),
        (lambda t: vm(t).update(roles=["nginx"], nginx={"proxyPort": 80}), "document.too-small",
         "nginx.proxyPort"),
        (lambda t: vm(t).update(roles=["nginx"], nginx={"root": "/"}), "request.unknown-key",
         "nginx.root"),
        (lambda t: vm(t).update(roles=["nginx"], image=ADOPTED), "request.roles-adopted", "roles"),
        (lambda t: vm(t).update(roles=["nginx"], expose=[{"port": 22, "from": "opd"}]),
         "request.roles-need-ssh", "roles"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_fault(change: Change, code: str, path: str) -> None:
    tree = valid()
    change(tree)
    (fault,) = faults_of(write(tree))
    assert (fault.code, fault.path) == (code, f"spec.vms[0].{path}")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_setting_takes_more_than_a_name(text: str) -> None:
    tree = valid()
    vm(tree).update(
        roles=["nginx", "postgresql"], nginx={"serverName": text}, postgresql={"database": text}
    )
    found = [fault.code for fault in faults_of(write(tree))]
    assert found == ["request.host-name", "request.database-name"]


def test_the_first_role_comes_with_a_key_and_further_ones_do_not() -> None:
    web, both = (replace(SPEC, vms=(replace(DB, roles=roles),)) for roles in (
        (RoleSpec("nginx"),), (RoleSpec("nginx"), DATABASE),
    ))  # fmt: skip
    (came,) = changes(SPEC, web)
    assert (came.what, came.after, came.restart) == (What.ROLES, "nginx", True)
    (more,) = changes(web, both)
    assert (more.before, more.after) == ("nginx", "nginx, postgresql (database simrs)")
    assert (more.grows, more.restart) == (True, False)


def test_what_decides_its_making_decides_its_digest() -> None:
    one = digest_of(DATABASE, ["10.0.0.0/24"])
    assert one == digest_of(DATABASE, ("10.0.0.0/24",))
    others = {
        digest_of(RoleSpec("postgresql"), ["10.0.0.0/24"]), digest_of(DATABASE, []),
        digest_of(RoleSpec("nginx"), ["10.0.0.0/24"]),
    }  # fmt: skip
    assert len(others | {one}) == 4
