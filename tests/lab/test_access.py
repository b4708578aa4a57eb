"""Who may do what in a simulated PVE: ACLs, pools, groups, tokens, passwords, tickets."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.labs import Control, RunningLab

from .conftest import Client
from .test_main_sequence import create

SECRET = "rahasia-ani"


def nobody(lab: RunningLab) -> Client:
    client = Client(lab)
    client.headers = {}
    return client


def signed_in(lab: RunningLab, user: str, password: str = SECRET) -> Client:
    client = nobody(lab)
    login = client("POST", "/access/ticket", username=user, password=password)
    client.headers = {
        "Cookie": f"PVEAuthCookie={quote(login['ticket'], safe='')}",
        "CSRFPreventionToken": login["CSRFPreventionToken"],
    }
    return client


def with_token(lab: RunningLab, full: str, secret: str) -> Client:
    client = Client(lab)
    client.headers = {"Authorization": f"PVEAPIToken={full}={secret}"}
    return client


def grant(root: Client, path: str, role: str, who: str = "ani@pve", **more: Any) -> None:
    kind = "tokens" if "!" in who else "users" if "@" in who else "groups"
    root("PUT", "/access/acl", path=path, roles=role, **{kind: who}, **more)


def refusal(client: Client, method: str, path: str, /, **params: Any) -> tuple[int, str]:
    answer = client.send(method, path, **params)
    return answer.status_code, answer.reason


@pytest.fixture
def ani(root: Client, lab: RunningLab) -> Client:
    root("POST", "/access/users", userid="ani@pve", password=SECRET)
    return signed_in(lab, "ani@pve")


def held(client: Client, path: str) -> dict[str, int]:
    return dict(client("GET", "/access/permissions", path=path)[path])


def test_what_does_not_propagate_stays_where_it_is(root: Client, ani: Client) -> None:
    grant(root, "/vms", "PVEVMAdmin", propagate=0)
    assert held(ani, "/vms")["VM.Allocate"] == 0
    assert held(ani, "/vms/500") == {}


def test_an_entry_of_ones_own_outweighs_the_groups_on_the_same_path(
    root: Client, ani: Client
) -> None:
    root("POST", "/access/groups", groupid="tim")
    root("PUT", "/access/users/ani@pve", groups="tim")
    grant(root, "/vms", "PVEVMAdmin", "tim")
    assert "VM.Allocate" in held(ani, "/vms/500")
    grant(root, "/vms", "PVETemplateUser")
    assert set(held(ani, "/vms/500")) == {"VM.Audit", "VM.Clone"}
    grant(root, "/vms/500", "PVEVMUser", "tim")
    assert "VM.PowerMgmt" in held(ani, "/vms/500")


def test_what_is_granted_on_a_pool_reaches_its_members_and_those_of_its_sub_pools(
    root: Client, ani: Client
) -> None:
    for name in ("opd", "opd/web", "lain"):
        root("POST", "/pools", poolid=name)
    root("PUT", "/pools", poolid="opd", vms="500")
    root("PUT", "/pools", poolid="opd/web", vms="501", storage="nfs")
    root("PUT", "/pools", poolid="lain", vms="502")
    grant(root, "/pool/opd", "PVEAuditor")
    seen = ani("GET", "/access/permissions")
    assert set(seen) == {"/pool/opd", "/vms/500", "/vms/501", "/storage/nfs"}
    assert seen["/pool/opd"]["VM.Audit"] == 1
    assert seen["/vms/501"]["VM.Audit"] == 0
    assert [pool["poolid"] for pool in ani("GET", "/pools")] == ["opd", "opd/web"]


def test_no_access_takes_away_what_a_pool_would_give_and_the_other_way_round(
    root: Client, ani: Client
) -> None:
    root("POST", "/pools", poolid="opd")
    root("PUT", "/pools", poolid="opd", vms="500,501")
    grant(root, "/pool/opd", "PVEVMUser")
    grant(root, "/vms/500", "NoAccess")
    assert held(ani, "/vms/500") == {}
    assert "VM.Audit" in held(ani, "/vms/501")
    grant(root, "/vms", "PVEVMAdmin")
    grant(root, "/pool/opd", "NoAccess")
    assert held(ani, "/vms/501") == {}
    assert "VM.Audit" in held(ani, "/vms/502")


def test_a_token_with_privilege_separation_has_what_both_have(
    root: Client, ani: Client, lab: RunningLab
) -> None:
    grant(root, "/vms", "PVEVMUser", propagate=1)
    made = ani("POST", "/access/users/ani@pve/token/kerja")
    token = with_token(lab, "ani@pve!kerja", made["value"])
    assert held(token, "/vms/500") == {}
    assert token("GET", "/access/users") == []
    grant(root, "/vms", "PVEVMAdmin", "ani@pve!kerja")
    assert held(token, "/vms/500") == held(ani, "/vms/500")
    assert refusal(token, "GET", "/access/permissions", userid="ani@pve")[0] == 403
    assert held(ani, "/vms") == ani("GET", "/access/permissions", userid="ani@pve!kerja")["/vms"]
    ani("PUT", "/access/users/ani@pve/token/kerja", privsep=0)
    assert "VM.Audit" in held(token, "/vms/500")


def test_tokens_and_users_expire(
    root: Client, ani: Client, lab: RunningLab, control: Control
) -> None:
    soon = int(control.now()) + 60
    made = ani("POST", "/access/users/ani@pve/token/kerja", expire=soon)
    token = with_token(lab, "ani@pve!kerja", made["value"])
    token("GET", "/version")
    control.advance(120)
    assert refusal(token, "GET", "/version") == (401, "Authentication failed!")
    renewed = ani("PUT", "/access/users/ani@pve/token/kerja", expire=0, regenerate=1)
    assert refusal(token, "GET", "/version")[0] == 401
    with_token(lab, "ani@pve!kerja", renewed["value"])("GET", "/version")
    root("PUT", "/access/users/ani@pve", expire=soon)
    assert refusal(ani, "GET", "/version") == (401, "Authentication failed!")
    assert [row["userid"] for row in root("GET", "/access/users")].count("ani@pve") == 1


def test_a_ticket_renews_itself_and_roots_makes_one_for_anybody(
    root: Client, ani: Client, lab: RunningLab, control: Control
) -> None:
    def ticket(user: str, password: str) -> dict[str, Any]:
        return dict(nobody(lab)("POST", "/access/ticket", username=user, password=password))

    first = ticket("ani@pve", SECRET)
    assert "clustername" not in first
    control.advance(3600)
    second = ticket("ani@pve", first["ticket"])
    control.advance(3600 + 60)
    assert refusal(
        nobody(lab), "POST", "/access/ticket", username="ani@pve", password=first["ticket"]
    ) == (401, "authentication failure")
    assert ticket("ani@pve", second["ticket"])["username"] == "ani@pve"
    of_root = ticket("root@pam", lab.root_password())
    assert of_root["clustername"] == "dc"
    assert ticket("ani@pve", of_root["ticket"])["username"] == "ani@pve"
    taken = refusal(
        nobody(lab), "POST", "/access/ticket", username="root@pam", password=second["ticket"]
    )
    assert taken == (401, "authentication failure")


def test_a_login_can_ask_for_privileges_instead_of_a_ticket(
    root: Client, ani: Client, lab: RunningLab
) -> None:
    grant(root, "/vms/500", "PVEVMUser")
    asked = {"username": "ani@pve", "password": SECRET, "path": "/vms/500"}
    allowed = nobody(lab)("POST", "/access/ticket", privs="VM.Audit", **asked)
    assert "ticket" not in allowed
    assert "VM.Audit" in allowed["cap"]["vms"]
    refused = refusal(nobody(lab), "POST", "/access/ticket", privs="VM.Allocate", **asked)
    assert refused == (401, "authentication failure")


def test_a_password_is_changed_by_its_owner_or_by_whoever_manages_the_user(
    root: Client, ani: Client, lab: RunningLab
) -> None:
    own = {"userid": "ani@pve", "password": "rahasia-baru"}
    missing = ani.send("PUT", "/access/password", **own)
    assert missing.json()["errors"] == {
        "confirmation-password": "password is required to modify user"
    }
    wrong = {"confirmation-password": "bukan-itu"}
    assert refusal(ani, "PUT", "/access/password", **own, **wrong) == (500, "invalid credentials")
    ani("PUT", "/access/password", **own, **{"confirmation-password": SECRET})
    signed_in(lab, "ani@pve", "rahasia-baru")
    root("POST", "/access/users", userid="budi@pve")
    other = {
        "userid": "budi@pve", "password": SECRET, "confirmation-password": "rahasia-baru",
    }  # fmt: skip
    assert refusal(ani, "PUT", "/access/password", **other) == (
        403, "Permission check failed (/access/realm/pve, Realm.AllocateUser)",
    )  # fmt: skip
    grant(root, "/access", "PVEUserAdmin")
    ani("PUT", "/access/password", **other)
    signed_in(lab, "budi@pve")
    root_too = {**other, "userid": "root@pam"}
    grant(root, "/access", "Administrator")
    assert refusal(ani, "PUT", "/access/password", **root_too) == (403, "Permission check failed")


def test_whoever_manages_a_group_manages_its_users_alone(root: Client, ani: Client) -> None:
    for group in ("tim", "lain"):
        root("POST", "/access/groups", groupid=group)
    root("POST", "/access/users", userid="budi@pve", groups="tim")
    root("POST", "/access/users", userid="citra@pve", groups="lain")
    grant(root, "/access/groups/tim", "PVEUserAdmin")
    assert [row["userid"] for row in ani("GET", "/access/users")] == ["ani@pve", "budi@pve"]
    assert [row["groupid"] for row in ani("GET", "/access/groups")] == ["tim"]
    ani("PUT", "/access/users/budi@pve", comment="pindah", groups="tim")
    assert refusal(ani, "PUT", "/access/users/budi@pve", groups="lain") == (
        403, "Permission check failed (/access/groups/lain, User.Modify)",
    )  # fmt: skip
    assert refusal(ani, "PUT", "/access/users/citra@pve", groups="tim") == (
        403, "Permission check failed",
    )  # fmt: skip


def test_whoever_may_not_change_permissions_hands_on_at_most_their_own(
    root: Client, ani: Client
) -> None:
    root("POST", "/access/users", userid="budi@pve")
    entry = {"path": "/vms/500", "users": "budi@pve"}
    grant(root, "/vms", "PVEVMUser")
    assert refusal(ani, "PUT", "/access/acl", roles="PVEVMUser", **entry) == (
        403, "Permission check failed (/vms/500, Permissions.Modify|VM.Allocate)",
    )  # fmt: skip
    grant(root, "/vms", "PVEVMAdmin")
    ani("PUT", "/access/acl", roles="PVEVMUser", **entry)
    assert [row["path"] for row in ani("GET", "/access/acl")] == ["/vms/500"]
    answer = ani.send("PUT", "/access/acl", roles="Administrator", **entry)
    assert answer.reason == "ACL update failed: 400 Parameter verification failed."
    assert answer.json()["message"].splitlines()[1] == (
        "role: Cannot add role 'Administrator' - requires 'Permissions.Modify'"
        " or superset of privileges."
    )
    grant(root, "/vms/500", "PVEVMAdmin", propagate=0)
    answer = ani.send("PUT", "/access/acl", roles="PVEVMUser", **entry)
    assert "with propagation" in answer.json()["message"]
    ani("PUT", "/access/acl", roles="PVEVMUser", propagate=0, **entry)


def test_a_call_that_fails_half_way_has_changed_nothing(root: Client, control: Control) -> None:
    root("POST", "/pools", poolid="opd", comment="lama")
    change = {"poolid": "opd", "comment": "baru", "vms": "500", "storage": "nfs,nfs"}
    failed = "update pools failed: Storage 'nfs' is already a pool member"
    assert refusal(root, "PUT", "/pools", **change) == (500, failed)
    pool = control.state()["dc"]["pools"]["opd"]
    assert (pool["comment"], pool["vms"], pool["storages"]) == ("lama", [], [])


def test_moving_a_vm_between_pools_takes_rights_over_both(root: Client, ani: Client) -> None:
    create(root)
    for name in ("a", "b"):
        root("POST", "/pools", poolid=name)
    root("PUT", "/pools", poolid="a", vms="10000")
    move = {"poolid": "b", "vms": "10000", "allow-move": 1}
    grant(root, "/pool/b", "PVEPoolAdmin")
    assert refusal(ani, "PUT", "/pools", **move) == (
        500,
        "update pools failed: 403 Permission check failed"
        " (/vms/10000, Permissions.Modify|VM.Allocate)",
    )
    grant(root, "/vms", "PVEVMAdmin")
    assert refusal(ani, "PUT", "/pools", **move)[1].endswith("(/pool/a, Pool.Allocate)")
    grant(root, "/pool/a", "PVEPoolAdmin")
    ani("PUT", "/pools", **move)
    assert [m["vmid"] for m in root("GET", "/pools/b")["members"]] == [10000]
    assert refusal(root, "DELETE", "/pools", poolid="b") == (
        500, "delete pool failed: pool 'b' is not empty (contains VM 10000)",
    )  # fmt: skip
    root("DELETE", "/pools", poolid="a")


def test_realms_keep_their_settings_but_no_password(root: Client) -> None:
    ldap = {"realm": "kantor", "type": "ldap", "base_dn": "dc=go,dc=id", "user_attr": "uid"}
    assert refusal(root, "POST", "/access/domains", **ldap) == (
        500, "add auth server failed: missing value for required option 'server1'",
    )  # fmt: skip
    root("POST", "/access/domains", server1="10.0.0.9", port=636, password="x", default=1, **ldap)
    kept = root("GET", "/access/domains/kantor")
    assert (kept["type"], kept["port"], kept["server1"]) == ("ldap", 636, "10.0.0.9")
    assert "password" not in kept
    root("PUT", "/access/domains/kantor", delete="port", comment="Kantor", digest=kept["digest"])
    assert "port" not in root("GET", "/access/domains/kantor")
    stale = refusal(root, "PUT", "/access/domains/kantor", port=1, digest=kept["digest"])
    assert stale[1].startswith("update auth server failed: detected modified configuration")
    root("PUT", "/access/domains/pve", default=1)
    rows = {row["realm"]: row for row in root("GET", "/access/domains")}
    assert (rows["kantor"].get("default"), rows["pve"]["default"]) == (None, 1)
    new = {"userid": "a@kantor", "password": SECRET}
    assert refusal(root, "POST", "/access/users", **new) == (
        500, "create user failed: can't set password on auth type 'ldap'",
    )  # fmt: skip
    root("DELETE", "/access/domains/kantor")
    assert refusal(root, "DELETE", "/access/domains/kantor") == (
        500, "delete auth server failed: authentication domain 'kantor' does not exist",
    )  # fmt: skip


def test_what_declares_no_permission_is_roots_in_person(root: Client, lab: RunningLab) -> None:
    assert root.send("GET", "/cluster/backup-info").status_code == 200
    refused = Client(lab).send("GET", "/cluster/backup-info")
    assert (refused.status_code, refused.reason) == (
        403, "Permission check failed (user != root@pam)",
    )  # fmt: skip
