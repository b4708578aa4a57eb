"""Firewalls and software-defined networks: what is written is what rules and NICs then meet."""

from __future__ import annotations

import pytest

from tests.labs import Control

from .conftest import Client
from .test_main_sequence import create

DC = "/cluster/firewall"
SCOPES = (DC, "/nodes/pve1/firewall", "/nodes/pve1/qemu/10000/firewall")
ACCEPT = {"type": "in", "action": "ACCEPT", "enable": 1}


def refusal(client: Client, method: str, path: str, /, **params: object) -> tuple[str, object]:
    answer = client.send(method, path, **params)
    assert answer.status_code != 200, f"{method} {path} is not refused"
    return answer.reason, answer.json().get("errors")


@pytest.mark.parametrize("scope", SCOPES)
def test_rules_have_an_order_that_moves(root: Client, scope: str) -> None:
    for port in (22, 80, 443):
        root("POST", f"{scope}/rules", **ACCEPT, proto="tcp", dport=port)

    def ports() -> list[str]:
        rules = root("GET", f"{scope}/rules")
        assert [rule["pos"] for rule in rules] == list(range(len(rules)))
        return [rule["dport"] for rule in rules]

    assert ports() == ["443", "80", "22"]
    root("PUT", f"{scope}/rules/0", moveto=2)
    assert ports() == ["80", "443", "22"]
    root("PUT", f"{scope}/rules/2", moveto=0)
    assert ports() == ["22", "80", "443"]
    root("DELETE", f"{scope}/rules/1")
    assert ports() == ["22", "443"]
    assert refusal(root, "GET", f"{scope}/rules/2") == ("no rule at position 2", None)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_rule_changes_only_as_it_was_read(root: Client, scope: str) -> None:
    root("POST", f"{scope}/rules", **ACCEPT, macro="SSH", comment="one")
    digest = root("GET", f"{scope}/rules/0")["digest"]
    root("PUT", f"{scope}/rules/0", digest=digest, delete="comment", enable=0)
    rule = root("GET", f"{scope}/rules/0")
    assert "comment" not in rule
    assert (rule["enable"], rule["macro"]) == (0, "SSH")
    reason, _ = refusal(root, "PUT", f"{scope}/rules/0", digest=digest, enable=1)
    assert reason.startswith("detected modified configuration")
    assert root("GET", f"{scope}/rules/0")["enable"] == 0


def test_each_firewall_has_rules_of_its_own(root: Client) -> None:
    root("POST", f"{DC}/rules", **ACCEPT, comment="dc")
    root("POST", "/nodes/pve2/qemu/10001/firewall/rules", **ACCEPT, comment="other")
    assert [rule["comment"] for rule in root("GET", f"{DC}/rules")] == ["dc"]
    assert root("GET", "/nodes/pve1/qemu/10000/firewall/rules") == []
    assert root("GET", "/nodes/pve2/firewall/rules") == []


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"source": "+none"}, {"source": "no such ipset 'none'"}),
        ({"dest": "none"}, {"dest": "no such alias 'none'"}),
        ({"dport": 22}, {"proto": "missing property - 'dport' requires this property"}),
        ({"macro": "None"}, {"macro": "unknown macro 'None'"}),
        ({"action": "MAYBE"}, {"action": "unknown action 'MAYBE'"}),
    ],
)
def test_a_rule_names_what_there_is(
    root: Client, params: dict[str, object], fault: dict[str, str]
) -> None:
    assert refusal(root, "POST", f"{DC}/rules", **{**ACCEPT, **params})[1] == fault
    assert root("GET", f"{DC}/rules") == []


def test_a_vm_sees_its_own_names_and_the_clusters(root: Client) -> None:
    vm = "/nodes/pve1/qemu/10000/firewall"
    root("POST", f"{DC}/aliases", name="lan", cidr="10.0.0.0/8", comment="inside")
    root("POST", f"{DC}/ipset", name="both")
    root("POST", f"{vm}/ipset", name="both")
    root("POST", f"{vm}/ipset/both", cidr="lan")
    refs = {row["ref"]: row for row in root("GET", f"{vm}/refs")}
    assert sorted(refs) == ["+guest/both", "dc/lan"]
    assert refs["dc/lan"]["comment"] == "inside"
    root("POST", f"{vm}/rules", **ACCEPT, source="dc/lan", dest="+guest/both")
    assert refusal(root, "POST", f"{DC}/rules", **ACCEPT, dest="+guest/both")[1] is not None
    assert [row["name"] for row in root("GET", f"{DC}/refs", type="alias")] == ["lan"]


def test_sets_and_groups_are_emptied_before_they_go(root: Client) -> None:
    root("POST", f"{DC}/ipset", name="mgmt")
    root("POST", f"{DC}/ipset/mgmt", cidr="10.1.0.0/16", comment="a")
    root("PUT", f"{DC}/ipset/mgmt/10.1.0.0/16", nomatch=1)
    (member,) = root("GET", f"{DC}/ipset/mgmt")
    assert (member["cidr"], member["nomatch"]) == ("10.1.0.0/16", 1)
    assert "comment" not in member
    assert refusal(root, "DELETE", f"{DC}/ipset/mgmt")[0] == "IPSet 'mgmt' is not empty"
    root("POST", f"{DC}/ipset", name="admins", rename="mgmt", comment="renamed")
    assert len(root("GET", f"{DC}/ipset/admins")) == 1
    root("DELETE", f"{DC}/ipset/admins/10.1.0.0/16")
    root("DELETE", f"{DC}/ipset/admins")
    assert root("GET", f"{DC}/ipset") == []

    root("POST", f"{DC}/groups", group="web")
    root("POST", f"{DC}/groups/web", **ACCEPT, macro="HTTPS")
    nested = refusal(root, "POST", f"{DC}/groups/web", type="group", action="web")
    assert nested[1] == {"type": "security groups not allowed"}
    assert refusal(root, "DELETE", f"{DC}/groups/web")[0] == "Security group 'web' is not empty"
    root("DELETE", f"{DC}/groups/web/0")
    root("DELETE", f"{DC}/groups/web")
    assert refusal(root, "GET", f"{DC}/groups/web")[0] == "no such security group 'web'"


def test_an_alias_is_one_name_in_any_case(root: Client) -> None:
    root("POST", f"{DC}/aliases", name="Lan", cidr="fd00::/8")
    (alias,) = root("GET", f"{DC}/aliases")
    assert (alias["name"], alias["ipversion"]) == ("lan", 6)
    taken = refusal(root, "POST", f"{DC}/aliases", name="LAN", cidr="10.0.0.0/8")
    assert taken[1] == {"name": "alias 'lan' already exists"}
    root("PUT", f"{DC}/aliases/lan", cidr="10.0.0.0/8", rename="inside")
    assert root("GET", f"{DC}/aliases/inside")["cidr"] == "10.0.0.0/8"
    long = refusal(root, "POST", f"{DC}/aliases", name="long", cidr="10.0.0.0/33")
    assert "longer than IP address (32)" in str(long[1])


def test_a_vms_firewall_is_cloned_with_it_and_ends_with_it(root: Client) -> None:
    create(root)
    vm, clone = "/nodes/pve1/qemu/10000", "/nodes/pve1/qemu/10001"
    root("PUT", f"{vm}/firewall/options", enable=1, policy_in="DROP")
    assert root.task("POST", f"{vm}/clone", newid=10001) == "OK"
    assert root("GET", f"{clone}/firewall/options")["policy_in"] == "DROP"
    root("PUT", f"{clone}/firewall/options", delete="policy_in")
    assert root("GET", f"{vm}/firewall/options")["policy_in"] == "DROP"
    assert root.task("DELETE", vm) == "OK"
    assert "policy_in" not in root("GET", f"{vm}/firewall/options")


def test_networks_wait_until_they_are_applied(root: Client) -> None:
    root("POST", "/cluster/sdn/zones", zone="z1", type="simple", nodes="pve1,pve2")
    root("POST", "/cluster/sdn/vnets", vnet="vnet1", zone="z1", alias="one")
    subnets = "/cluster/sdn/vnets/vnet1/subnets"
    root("POST", subnets, subnet="10.5.0.0/24", type="subnet", gateway="10.5.0.1")
    (subnet,) = root("GET", subnets)
    assert (subnet["subnet"], subnet["cidr"]) == ("z1-10.5.0.0-24", "10.5.0.0/24")
    (waiting,) = root("GET", "/cluster/sdn/vnets", pending=1)
    assert (waiting["state"], waiting["pending"]) == ("new", {"zone": "z1", "alias": "one"})
    assert root("GET", "/cluster/sdn/vnets", running=1) == []
    assert root("GET", "/nodes/pve1/network", type="vnet") == []

    assert root.task("PUT", "/cluster/sdn") == "OK"
    (running,) = root("GET", "/cluster/sdn/vnets", running=1)
    assert (running["vnet"], running["alias"]) == ("vnet1", "one")
    assert [row["iface"] for row in root("GET", "/nodes/pve1/network", type="vnet")] == ["vnet1"]
    assert root("GET", "/nodes/pve3/network", type="vnet") == []
    assert root("GET", "/nodes/pve2/sdn/zones") == [{"zone": "z1", "status": "available"}]
    zones = {
        (row["node"], row["network"])
        for row in root("GET", "/cluster/resources")
        if row["type"] == "network"
    }
    assert {node for node, zone in zones if zone == "z1"} == {"pve1", "pve2"}

    root("PUT", "/cluster/sdn/vnets/vnet1", delete="alias")
    (changed,) = root("GET", "/cluster/sdn/vnets", pending=1)
    assert (changed["state"], changed["alias"]) == ("changed", "one")
    assert changed["pending"] == {"alias": "deleted"}
    root("DELETE", f"{subnets}/z1-10.5.0.0-24")
    root("DELETE", "/cluster/sdn/vnets/vnet1")
    (gone,) = root("GET", "/cluster/sdn/vnets", pending=1)
    assert gone["state"] == "deleted"


def test_what_is_used_stays(root: Client) -> None:
    root("POST", "/cluster/sdn/zones", zone="z1", type="vlan", bridge="vmbr0")
    untagged = root.send("POST", "/cluster/sdn/vnets", vnet="vnet1", zone="z1")
    assert "missing vlan tag" in untagged.json()["message"]
    root("POST", "/cluster/sdn/vnets", vnet="vnet1", zone="z1", tag=7)
    assert "is used by vnet vnet1" in refusal(root, "DELETE", "/cluster/sdn/zones/z1")[0]
    subnets = "/cluster/sdn/vnets/vnet1/subnets"
    outside = {"subnet": "10.5.0.0/24", "type": "subnet", "gateway": "10.6.0.1"}
    assert "is not in subnet" in root.send("POST", subnets, **outside).json()["message"]
    root("POST", subnets, **{**outside, "gateway": "10.5.0.1"})
    used = root.send("DELETE", "/cluster/sdn/vnets/vnet1")
    assert "Can't delete vnet if subnets exists" in used.json()["message"]


def test_a_nic_in_a_vnet_needs_the_right_to_it(root: Client, pve: Client) -> None:
    """A token that may use every bridge of the local network, and no zone."""
    create(root)
    root("POST", "/cluster/sdn/zones", zone="z1", type="simple")
    root("POST", "/cluster/sdn/vnets", vnet="vnet1", zone="z1")
    root.task("PUT", "/cluster/sdn")
    roles = ("PVEVMAdmin", "/vms"), ("PVESDNUser", "/sdn/zones/localnetwork")
    root("POST", "/access/users", userid="net@pve", password="sandi-uji")
    for role, path in roles:
        root("PUT", "/access/acl", path=path, users="net@pve", roles=role)
    pve.headers = {}
    login = pve("POST", "/access/ticket", username="net@pve", password="sandi-uji")
    pve.headers = {
        "Cookie": f"PVEAuthCookie={login['ticket']}",
        "CSRFPreventionToken": login["CSRFPreventionToken"],
    }
    config = "/nodes/pve1/qemu/10000/config"
    pve("PUT", config, net1="virtio,bridge=vmbr0")
    reason, _ = refusal(pve, "PUT", config, net2="virtio,bridge=vnet1")
    assert reason == "Permission check failed (/sdn/zones/z1/vnet1, SDN.Use)"
    root("PUT", "/access/acl", path="/sdn/zones/z1/vnet1", users="net@pve", roles="PVESDNUser")
    pve("PUT", config, net2="virtio,bridge=vnet1")
    assert "bridge=vnet1" in root("GET", config)["net2"]


def test_a_disarmed_manager_leaves_services_alone(root: Client, control: Control) -> None:
    create(root)
    root("POST", "/cluster/ha/status/disarm-ha", **{"resource-mode": "freeze"})
    root("POST", "/cluster/ha/resources", sid="vm:10000", state="started")
    control.advance(60)
    rows = {row["id"]: row for row in root("GET", "/cluster/ha/status/current")}
    fencing, service = rows["fencing"], rows["service:vm:10000"]
    assert (fencing["armed-state"], fencing["resource_mode"]) == ("disarmed", "freeze")
    assert service["state"] == "freeze"
    assert root("GET", "/nodes/pve1/qemu/10000/status/current")["status"] == "stopped"
    root("POST", "/cluster/ha/status/arm-ha")
    control.advance(60)
    assert root("GET", "/nodes/pve1/qemu/10000/status/current")["status"] == "running"


def test_a_mapping_keeps_its_entries_apart(root: Client) -> None:
    entries = ["node=pve1,path=/srv/a", "node=pve2,path=/srv/b"]
    root("POST", "/cluster/mapping/dir", id="share", map=entries[0])
    assert root("GET", "/cluster/mapping/dir/share")["map"] == entries[:1]
    answer = root.send("PUT", "/cluster/mapping/dir/share", map="path=/srv/a")
    assert "map" in answer.json()["errors"]
    root("DELETE", "/cluster/mapping/dir/share")
    assert root("GET", "/cluster/mapping/dir") == []


def test_whoever_may_not_see_networks_sees_none(root: Client) -> None:
    root("POST", "/cluster/sdn/zones", zone="z1", type="simple")
    root("POST", "/cluster/sdn/vnets", vnet="vnet1", zone="z1")
    subnets = "/cluster/sdn/vnets/vnet1/subnets"
    root("POST", subnets, subnet="10.5.0.0/24", type="subnet")
    root("POST", "/access/users", userid="net@pve", password="sandi-uji")
    root("PUT", "/access/acl", path="/", users="net@pve", roles="PVEVMUser")
    other = Client(root.lab)
    other.headers = {}
    login = other("POST", "/access/ticket", username="net@pve", password="sandi-uji")
    other.headers = {
        "Cookie": f"PVEAuthCookie={login['ticket']}",
        "CSRFPreventionToken": login["CSRFPreventionToken"],
    }
    for path in ("/cluster/sdn/zones", "/cluster/sdn/vnets", "/cluster/sdn/ipams", subnets):
        assert len(root("GET", path)) == 1
        assert other("GET", path) == []
    denied = "Permission check failed (/sdn/zones/z1/vnet1, SDN.Allocate)"
    assert refusal(other, "DELETE", "/cluster/sdn/vnets/vnet1")[0] == denied
    assert refusal(other, "POST", f"{DC}/rules", **ACCEPT)[0].endswith("(/, Sys.Modify)")
