"""Doctor finds what differs from the site's files, and says what grants the missing rights."""

from typing import Any

import pytest
import requests

from cloudpemda.errors import ExitCode
from cloudpemda.messages import explain
from cloudpemda.proxmox import rights
from cloudpemda.usecases.doctor import Level, Report
from tests.doctor.conftest import Practice


def codes(report: Report, level: Level) -> list[tuple[str | None, str]]:
    return [(found.cluster, found.code) for found in report.findings if found.level is level]


def only(report: Report, code: str) -> dict[str, object]:
    """The values of the one finding with this code."""
    (found,) = [found for found in report.findings if found.code == code]
    return dict(found.values)


def as_root(practice: Practice, method: str, path: str, /, **form: object) -> Any:
    """What an administrator does to the cluster `dc`."""
    url = practice.lab.url("pve1") + "/api2/json"
    verify = str(practice.lab.ca)
    login = {"username": "root@pam", "password": practice.lab.root_password()}
    ticket = requests.post(f"{url}/access/ticket", data=login, verify=verify, timeout=600).json()
    answer = requests.request(
        method,
        url + path,
        data=form,
        verify=verify,
        timeout=600,
        cookies={"PVEAuthCookie": ticket["data"]["ticket"]},
        headers={"CSRFPreventionToken": ticket["data"]["CSRFPreventionToken"]},
    )
    assert answer.status_code == 200, answer.reason
    return answer.json()["data"]


def test_the_labs_own_site_is_healthy(practice: Practice) -> None:
    report = practice.report()
    assert codes(report, Level.FAIL) == []
    assert codes(report, Level.WARN) == []
    assert report.exit_code is ExitCode.DONE
    assert report.commands == {}
    looked_at = {code for cluster, code in codes(report, Level.OK) if cluster == "dc"}
    assert looked_at == {
        "doctor.backup",
        "doctor.bridges",
        "doctor.clock",
        "doctor.endpoint",
        "doctor.firewall-off",
        "doctor.ha-flavour",
        "doctor.image",
        "doctor.quorum",
        "doctor.rights",
        "doctor.storage",
        "doctor.version",
    }
    servers = {
        name: {code for cluster, code in codes(report, Level.OK) if cluster == name}
        for name in ("pbs-dc", "pbs-drc")
    }
    common = {"doctor.server", "doctor.clock", "doctor.datastore", "doctor.verify"}
    assert servers == {"pbs-dc": common, "pbs-drc": {*common, "doctor.sync"}}


def test_looking_changes_nothing(practice9: Practice) -> None:
    practice9.report()
    assert practice9.lab.control.writes() == []


def test_every_finding_reads_in_both_languages(practice9: Practice) -> None:
    practice9.lab.control.node("pve3", "down")
    for found in practice9.report().findings:
        for lang in ("en", "id"):
            shown, then = explain(found.code, lang, found.values)
            assert "?" not in shown + then, found.code


def test_the_flavour_of_ha_is_told(practice: Practice) -> None:
    flavours = [
        found.values["flavour"]
        for found in practice.report().findings
        if found.code == "doctor.ha-flavour" and found.cluster == "dc"
    ]
    version = practice.lab.endpoints["clusters"]["dc"]["version"]
    assert flavours == ["groups" if version.startswith("8") else "rules"]


def test_what_the_site_says_and_the_cluster_lacks_is_found(practice9: Practice) -> None:
    def site(content: dict[str, Any]) -> None:
        content["clusters"]["dc"]["storages"] = {"ssd": "nvme-zfs", "hdd": "nfs"}
        content["clusters"]["dc"] |= {"backup": "local-zfs", "backupServer": "pbs-dc"}
        content["networks"]["dinkes-app"]["bridge"] = "vmbr9"

    def catalogue(content: dict[str, Any]) -> None:
        content["images"] = {
            "debian-13": {"dc": {"import": "nfs:import/debian-13.qcow2"}},
            "golden": {"dc": {"template": {"pve1": 9000}}},
        }

    practice9.change("site.yaml", site)
    practice9.change("catalogue.yaml", catalogue)
    report = practice9.report()
    assert sorted(set(codes(report, Level.FAIL))) == [
        ("dc", "doctor.bridge-missing"),
        ("dc", "doctor.image-missing"),
        ("dc", "doctor.storage-missing"),
        ("dc", "doctor.storage-no-backup"),
        ("dc", "doctor.storage-no-images"),
        ("dc", "doctor.template-missing"),
    ]
    assert only(report, "doctor.storage-missing")["nodes"] == "pve1, pve2, pve3"
    assert only(report, "doctor.image-missing")["volume"] == "nfs:import/debian-13.qcow2"
    assert report.exit_code is ExitCode.FINDINGS


def test_a_class_with_replication_on_a_storage_that_cannot_is_warned_of(
    practice9: Practice,
) -> None:
    as_root(
        practice9, "POST", "/storage", storage="plain", type="dir", path="/srv", content="images"
    )
    practice9.lab.control.advance(30)

    def site(content: dict[str, Any]) -> None:
        content["clusters"]["dc"]["storages"]["ssd"] = "plain"

    practice9.change("site.yaml", site)
    report = practice9.report()
    assert codes(report, Level.WARN) == [("dc", "doctor.storage-not-replicable")]
    assert report.exit_code is ExitCode.DONE


def test_a_clock_that_is_off_is_found(practice9: Practice) -> None:
    practice9.lab.control.arm(
        {"at": "1s", "do": "clock-skew", "cluster": "dc", "node": "pve2", "seconds": 90}
    )
    practice9.lab.control.advance(10)
    report = practice9.report()
    assert codes(report, Level.FAIL) == [("dc", "doctor.clock-skew")]
    found = only(report, "doctor.clock-skew")
    assert found["node"] == "pve2"
    assert abs(int(str(found["seconds"])) - 90) <= 1


def test_a_dead_node_is_a_warning_and_hides_nothing(practice9: Practice) -> None:
    practice9.lab.control.node("pve3", "down")
    practice9.lab.control.advance(60)
    report = practice9.report()
    assert codes(report, Level.FAIL) == []
    assert codes(report, Level.WARN) == [
        ("dc", "doctor.endpoint-down"),
        ("dc", "doctor.node-away"),
    ]
    assert report.exit_code is ExitCode.DONE


def test_a_cluster_without_quorum_fails(practice9: Practice) -> None:
    for node in ("pve2", "pve3"):
        practice9.lab.control.node(node, "down")
    practice9.lab.control.advance(60)
    assert ("dc", "doctor.no-quorum") in codes(practice9.report(), Level.FAIL)


def test_a_cluster_that_is_gone_is_unknown_and_the_other_is_looked_at(
    practice9: Practice,
) -> None:
    for node in ("pve1", "pve2", "pve3"):
        practice9.lab.control.node(node, "down")
    report = practice9.report()
    assert report.exit_code is ExitCode.UNREACHABLE
    assert ("dc", "doctor.endpoint-down") in codes(report, Level.FAIL)
    assert ("drc", "doctor.rights") in codes(report, Level.OK)


# -- rights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("privilege", ["VM.Allocate", "VM.Config.HWType", "Sys.Audit"])
def test_each_missing_right_is_named_with_the_commands_that_grant_it(
    practice: Practice, privilege: str
) -> None:
    major = 8 if practice.lab.endpoints["clusters"]["dc"]["version"].startswith("8") else 9
    left = [name for name in rights.role_privileges(major) if name != privilege]
    as_root(practice, "PUT", f"/access/roles/{rights.ROLE}", privs=",".join(left))
    report = practice.report()
    missing = [found for found in report.findings if found.code == "doctor.rights-missing"]
    assert missing
    assert {found.values["privileges"] for found in missing} == {privilege}
    assert report.exit_code is ExitCode.FINDINGS
    full = ",".join(rights.role_privileges(major))
    assert report.commands["dc"] == (
        f"pveum role add {rights.ROLE} --privs {full}"
        f" || pveum role modify {rights.ROLE} --privs {full}",
        f"pveum acl modify / --users cloudpemda@pve --roles {rights.ROLE}",
        f"pveum acl modify / --tokens 'cloudpemda@pve!apply' --roles {rights.ROLE}",
    )
    # what the commands say, done through the API, heals it
    as_root(practice, "PUT", f"/access/roles/{rights.ROLE}", privs=full)
    assert codes(practice.report(), Level.FAIL) == []


def test_a_deeper_entry_that_hides_the_role_is_granted_where_it_hides(
    practice9: Practice,
) -> None:
    entry = {"path": "/vms", "tokens": "cloudpemda@pve!apply", "roles": "PVEAuditor"}
    as_root(practice9, "PUT", "/access/acl", **entry)
    report = practice9.report()
    assert (
        "pveum acl modify /vms --users cloudpemda@pve --roles CloudpemdaApply"
        in (report.commands["dc"])
    )
    assert not any("modify / " in command for command in report.commands["dc"])


def test_the_least_rights_of_8_and_9_differ_by_what_replicates() -> None:
    assert set(rights.role_privileges(9)) - set(rights.role_privileges(8)) == {"VM.Replicate"}
    assert "Datastore.Allocate" in rights.needed(8, [], None)["/storage"]
    assert "/storage" not in rights.needed(9, ["local-zfs"], "pbs")


def test_a_token_that_is_not_accepted_is_answered_with_the_whole_setup(
    practice9: Practice,
) -> None:
    secret = practice9.directory / "var" / "lab" / "dc.token"
    secret.write_text("00000000-0000-0000-0000-000000000000\n")
    report = practice9.report()
    assert report.exit_code is ExitCode.UNREACHABLE
    commands = report.commands["dc"]
    assert commands[0].startswith("pveum user add cloudpemda@pve")
    assert commands[1] == "pveum user token add cloudpemda@pve apply --privsep 1"
    assert commands[2].count("pveum role add") == 2  # for 9, else for 8
    assert commands[-1].startswith("pveum acl modify / --tokens")
