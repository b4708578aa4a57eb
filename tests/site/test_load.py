"""Loading a site: what its files may not say of themselves and of each other, and where."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from cloudpemda.errors import Fault, InvalidInput
from cloudpemda.messages import explain
from cloudpemda.site import Site, load_site

LAB = Path(__file__).parents[2] / "inventories" / "lab"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the lab's site that a test may damage."""
    shutil.copytree(LAB, tmp_path / "site", ignore=shutil.ignore_patterns("var"))
    return tmp_path / "site"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) >= 1, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


def faults_of(directory: Path) -> tuple[Fault, ...]:
    with pytest.raises(InvalidInput) as caught:
        load_site(directory)
    for fault in caught.value.faults:
        what, then = explain(fault.code, "id", fault.values)
        assert "?" not in what + then, f"{fault.code} misses a value"
    return caught.value.faults


Change = tuple[str, str, str]  # file, old text, new text


def _ruled(approvals: str) -> Change:
    return ("site.yaml", "\ndefaults:", f"\napprovals: {approvals}\n\ndefaults:")


def _delegated(**values: str) -> Change:
    """Hendra, who approves, is stood in for by dewi, who reviews."""
    said = {
        "from": "hendra",
        "to": "dewi",
        "as": "plh",
        "role": "approver",
        "letter": '{number: "800/77/2026", date: 2026-11-19}',
        "since": "2026-11-20 08:00",
        "until": "2026-11-27 16:00",
        **values,
    }
    listed = ", ".join(f"{key}: {value}" for key, value in said.items())
    return ("people.yaml", "\npeople:", f"\ndelegations: [{{{listed}}}]\n\npeople:")


ONE_FAULT: dict[str, tuple[Change, str, str | None]] = {
    # -- who decides
    "a rule without stages": (
        _ruled("{rules: [{name: a, stages: []}]}"),
        "document.too-few",
        "approvals.rules[0].stages",
    ),
    "a stage of nobody": (
        _ruled("{rules: [{name: a, stages: [{who: diskominfo, of: 0}]}]}"),
        "document.too-small",
        "approvals.rules[0].stages[0].of",
    ),
    "a stage of somebody else": (
        _ruled("{rules: [{name: a, stages: [{who: bupati}]}]}"),
        "document.choice",
        "approvals.rules[0].stages[0].who",
    ),
    "a rule about an unknown OPD": (
        _ruled("{rules: [{name: a, when: {opd: [disdik]}, stages: [{who: diskominfo}]}]}"),
        "site.unknown-opd",
        "approvals.rules[0].when.opd[0]",
    ),
    "a rule about an unknown class": (
        _ruled("{rules: [{name: a, when: {serviceClass: [gold]}, stages: [{who: diskominfo}]}]}"),
        "site.unknown-service-class",
        "approvals.rules[0].when.serviceClass[0]",
    ),
    "two rules of one name": (
        _ruled(
            "{rules: [{name: a, stages: [{who: diskominfo}]}, "
            "{name: a, stages: [{who: executive}]}]}"
        ),
        "site.equal-rules",
        "approvals.rules[1].name",
    ),
    "a rule for quota about an unknown OPD": (
        _ruled("{quota: [{name: a, when: {opd: [disdik]}, stages: [{who: diskominfo}]}]}"),
        "site.unknown-opd",
        "approvals.quota[0].when.opd[0]",
    ),
    "a rule for quota of a class": (
        _ruled("{quota: [{name: a, when: {publicIp: true}, stages: [{who: diskominfo}]}]}"),
        "document.unknown-key",
        "approvals.quota[0].when.publicIp",
    ),
    "a rule for quota with the name of another": (
        _ruled(
            "{rules: [{name: a, stages: [{who: diskominfo}]}], "
            "quota: [{name: a, stages: [{who: executive}]}]}"
        ),
        "site.equal-rules",
        "approvals.quota[0].name",
    ),
    "nothing announced": (
        _ruled("{announceEnds: []}"),
        "document.too-few",
        "approvals.announceEnds",
    ),
    "an automatic rule without an amount": (
        _ruled("{automatic: [{name: a, when: {publicIp: false}}]}"),
        "document.missing",
        "approvals.automatic[0].perDay",
    ),
    "a delegation to nobody": (_delegated(to="budi"), "site.unknown-login", "delegations[0].to"),
    "a delegation to oneself": (
        _delegated(to="hendra"),
        "site.delegation-self",
        "delegations[0].to",
    ),
    "a delegation of what one has not": (
        _delegated(role="reviewer"),
        "site.delegation-role",
        "delegations[0].from",
    ),
    "a delegation that ends before it begins": (
        _delegated(until="2026-11-20 08:00"),
        "site.delegation-order",
        "delegations[0]",
    ),
    "a delegation until some day": (
        _delegated(until="2026-11-27"),
        "site.minute",
        "delegations[0].until",
    ),
    "a delegation without a letter's number": (
        _delegated(letter="{date: 2026-11-19}"),
        "document.missing",
        "delegations[0].letter.number",
    ),
    "a delegation for an unknown OPD": (
        _delegated(opd="disdik"),
        "site.unknown-opd",
        "delegations[0].opd",
    ),
    # -- single values
    "zone": (("site.yaml", "Asia/Jakarta", "Asia/Purwakarta"), "site.zone", "site.zone"),
    "zone that is a path": (("site.yaml", "Asia/Jakarta", "../etc"), "site.zone", "site.zone"),
    "identity": (("site.yaml", "asserted", "trusted"), "document.choice", "site.identity"),
    "ledger": (("site.yaml", "sqlite:///var", "mysql://var"), "site.ledger-url", "ledger"),
    "endpoints word": (
        ("site.yaml", "endpoints: lab", "endpoints: pve1"),
        "site.endpoints",
        "clusters.dc.endpoints",
    ),
    "endpoints without https": (
        ("site.yaml", "endpoints: lab", 'endpoints: ["http://pve1:8006"]'),
        "site.endpoints",
        "clusters.dc.endpoints",
    ),
    "endpoints without port": (
        ("site.yaml", "endpoints: lab", 'endpoints: ["https://pve1"]'),
        "site.endpoints",
        "clusters.dc.endpoints",
    ),
    "endpoints with a password": (
        ("site.yaml", "endpoints: lab", 'endpoints: ["https://root:x@pve1:8006"]'),
        "site.endpoints",
        "clusters.dc.endpoints",
    ),
    "endpoints with a bad port": (
        ("site.yaml", "endpoints: lab", 'endpoints: ["https://pve1:port"]'),
        "site.endpoints",
        "clusters.dc.endpoints",
    ),
    "no endpoints": (
        ("site.yaml", "endpoints: lab", "endpoints: []"),
        "site.endpoints",
        "clusters.dc.endpoints",
    ),
    "token with its secret": (
        ("site.yaml", "id: cloudpemda@pve!apply", "id: cloudpemda@pve!apply=1234"),
        "site.token",
        "clusters.dc.token.id",
    ),
    "fingerprint": (
        ("site.yaml", "tls: {ca: var/lab/ca.pem}", "tls: {fingerprint: 'AA:BB'}"),
        "site.fingerprint",
        "clusters.dc.tls.fingerprint",
    ),
    "overcommit": (("site.yaml", "{cpu: 3}", "{cpu: 0.5}"), "document.too-small",
                   "clusters.dc.overcommit.cpu"),
    "overcommit in quotes": (("site.yaml", "{cpu: 3}", "{cpu: '3'}"), "document.number-expected",
                             "clusters.dc.overcommit.cpu"),
    "storage": (("site.yaml", "ssd: local-zfs", "ssd: /dev/sda"), "site.storage-id",
                "clusters.dc.storages.ssd"),
    "bridge": (("site.yaml", "bridge: vmbr0", "bridge: vmbr0/x"), "site.bridge",
               "networks.dinkes-app.bridge"),
    "vlan": (("site.yaml", "vlan: 110", "vlan: 4095"), "document.too-big",
             "networks.dinkes-app.vlan"),
    "cidr with host bits": (("site.yaml", "cidr: 10.10.110.0/24", "cidr: 10.10.110.1/24"),
                            "site.cidr", "networks.dinkes-app.cidr"),
    "gateway": (("site.yaml", "gateway: 10.10.110.1", "gateway: 10.10.110"), "site.address",
                "networks.dinkes-app.gateway"),
    "reserved backwards": (("site.yaml", "10.10.110.1-10.10.110.20", "10.10.110.20-10.10.110.1"),
                           "site.address-range", "networks.dinkes-app.reserved[0]"),
    "nameserver": (("site.yaml", "nameservers: [10.10.0.53]", "nameservers: [dns]"),
                   "site.address", "networks.dinkes-app.nameservers[0]"),
    "hold": (("site.yaml", "hold: 14d", "hold: 14"), "unit.missing", "defaults.hold"),
    "vmids backwards": (("opd/bkad.yaml", "13000-13999", "13999-13000"), "site.vmids",
                        "opd.vmids"),
    "vmids below 100": (("opd/bkad.yaml", "13000-13999", "099-13999"), "site.vmids", "opd.vmids"),
    "pool": (("opd/bkad.yaml", "pool: opd-bkad", "pool: opd/bkad"), "site.pool", "opd.pool"),
    "quota": (("opd/bkad.yaml", "vcpu: 12", "vcpu: many"), "document.limit", "quota.vcpu"),
    "quota memory": (("opd/bkad.yaml", "memory: 32 GiB", "memory: 32"), "unit.missing",
                     "quota.memory"),
    "unknown dimension": (("opd/bkad.yaml", "vcpu: 12", "vcpus: 12"), "document.unknown-key",
                          "quota.vcpus"),
    "login": (("people.yaml", "login: siti", "login: Siti R"), "site.login", "people[0].login"),
    "role": (("people.yaml", "role: auditor", "role: admin"), "document.choice",
             "people[6].roles[0].role"),
    "time of day": (("catalogue.yaml", 'at: "01:00"', 'at: "25:00"'), "site.time-of-day",
                    "serviceClasses.critical.backup.at"),
    "time of day without quotes": (("catalogue.yaml", 'at: "01:00"', "at: 01:00"),
                                   "document.ambiguous", "serviceClasses.critical.backup.at"),
    "image twice": (("catalogue.yaml", "user: debian", "template: {pve1: 9000}"), "site.image",
                    "images.debian-12.dc"),
    "image nowhere": (("catalogue.yaml", '{import: "nfs:import/debian-12.qcow2", user: debian}',
                       "{user: debian}"), "site.image", "images.debian-12.dc"),
    "import volume": (("catalogue.yaml", "nfs:import/debian-12.qcow2", "nfs:iso/debian.iso"),
                      "site.import-volume", "images.debian-12.dc.import"),
    "channels of one name": (
        ("site.yaml", "ledger: sqlite:///var/ledger.sqlite3",
         "ledger: sqlite:///var/ledger.sqlite3\nnotify: [{name: noc, urls: a}, {name: dinas, "
         "urls: b}, {name: noc, urls: c}]"),
        "site.channel-twice", "notify[2].name"),
    # -- files side by side
    "file name": (("opd/bkad.yaml", "code: bkad", "code: keuangan"), "site.opd-file-name",
                  "opd.code"),
    "parent": (("opd/rsud.yaml", "parent: dinkes", "parent: dinkez"), "site.unknown-opd",
               "opd.parent"),
    "vmids": (("opd/rsud.yaml", "11000-11499", "10999-11499"), "site.vmids-overlap", "opd.vmids"),
    "pools": (("opd/rsud.yaml", "pool: opd-rsud", "pool: opd-dinkes"), "site.equal-pools",
              "opd.pool"),
    "allowed class": (("opd/rsud.yaml", "[critical, normal]", "[critical, gold]"),
                      "site.unknown-service-class", "allow.serviceClasses[1]"),
    "allowed network": (("opd/rsud.yaml", "[rsud-app]", "[rsud-ap]"), "site.unknown-network",
                        "allow.networks[0]"),
    "quota of no storage": (("opd/bkad.yaml", "{ssd: 600 GiB,", "{nvme: 1 GiB, ssd: 600 GiB,"),
                            "site.unknown-storage-class", "quota.disk.nvme"),
    "default quota with a gap": (("site.yaml", "    vcpu: 16\n", ""), "site.no-default",
                                 "defaults.quota"),
    "default quota without a class": (("site.yaml", "{ssd: 500 GiB, hdd: 1 TiB}",
                                       "{ssd: 500 GiB}"), "site.no-default",
                                      "defaults.quota.disk"),
    "network of nobody": (("site.yaml", "opd: bkad", "opd: bkat"), "site.unknown-opd",
                          "networks.bkad-app.opd"),
    "recovery network": (("site.yaml", "vlan: 110", "vlan: 110\n    recovery: nowhere"),
                         "site.unknown-network", "networks.dinkes-app.recovery"),
    "gateway outside": (("site.yaml", "gateway: 10.10.110.1", "gateway: 10.10.111.1"),
                        "site.gateway", "networks.dinkes-app.gateway"),
    "gateway is the network": (("site.yaml", "gateway: 10.10.110.1", "gateway: 10.10.110.0"),
                               "site.gateway", "networks.dinkes-app.gateway"),
    "reserved outside": (("site.yaml", "10.10.110.1-10.10.110.20", "10.10.110.1-10.10.111.20"),
                         "site.reserved-outside", "networks.dinkes-app.reserved[0]"),
    "public reserved outside": (("site.yaml", "203.0.113.31", "203.0.113.32"),
                                "site.reserved-outside", "publicAddresses.reserved[1]"),
    "vlan twice": (("site.yaml", "vlan: 111", "vlan: 110"), "site.vlan-overlap",
                   "networks.rsud-app.vlan"),
    "both proofs of a cluster": (("site.yaml", "tls: {ca: var/lab/ca.pem}",
                                  "tls: {ca: a.pem, fingerprint: '" + ":".join(["AB"] * 32) + "'}"),
                                 "site.tls", "clusters.dc.tls"),
    "no production": (("site.yaml", "role: production", "role: recovery"), "site.no-production",
                      "clusters"),
    "image on no cluster": (("catalogue.yaml", "    dc: {import", "    dcx: {import"),
                            "site.unknown-cluster", "images.debian-12.dcx"),
    "login twice": (("people.yaml", "login: asep", "login: siti"), "site.equal-logins",
                    "people[1].login"),
    "role at no OPD": (("people.yaml", "opd: bkad", "opd: bkat"), "site.unknown-opd",
                       "people[2].roles[0].opd"),
    "replicated to another cluster": (("catalogue.yaml", "{method: backup-sync}",
                                       "{method: pvesr}"), "site.drc-method",
                                      "serviceClasses.critical.drc.method"),
    "stretched over nothing": (("catalogue.yaml", "{method: backup-sync}", "{method: stretched}"),
                               "site.drc-no-nodes", "serviceClasses.critical.drc.method"),
    "synced to nobody": (("site.yaml", "syncedTo: pbs-drc", "syncedTo: pbs-xyz"),
                         "site.unknown-backup-server", "backupServers.pbs-dc.syncedTo"),
    "synced to itself": (("site.yaml", "syncedTo: pbs-drc", "syncedTo: pbs-dc"),
                         "site.synced-to-itself", "backupServers.pbs-dc.syncedTo"),
    "server of nobody": (("site.yaml", "backup: pbs-dc", "backup: pbs-dc\n    backupServer: x"),
                         "site.unknown-backup-server", "clusters.dc.backupServer"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_FAULT)
def test_one_wrong_thing_is_told_at_its_place(name: str, directory: Path) -> None:
    (file, old, new), code, path = ONE_FAULT[name]
    edit(directory / file, old, new)
    first = faults_of(directory)[0]
    assert (first.code, first.path) == (code, path)
    assert first.file == str(directory / file)
    assert first.line is not None
    assert {fault.code for fault in faults_of(directory)} == {code}, "and nothing else"


def test_overlapping_networks_are_told(directory: Path) -> None:
    edit(directory / "site.yaml", "cidr: 10.10.111.0/24", "cidr: 10.10.110.0/23")
    (fault,) = faults_of(directory)
    assert (fault.code, fault.path) == ("site.cidr-overlap", "networks.rsud-app.cidr")


def test_public_addresses_are_nobodys_private_network(directory: Path) -> None:
    edit(directory / "site.yaml", "cidr: 203.0.113.16/28", "cidr: 10.10.130.32/28")
    edit(directory / "site.yaml", "  reserved: [203.0.113.16-203.0.113.18, 203.0.113.31]\n", "")
    (fault,) = faults_of(directory)
    assert (fault.code, fault.path) == ("site.cidr-overlap", "networks.bkad-app.cidr")


def test_backups_that_are_promised_need_a_storage(directory: Path) -> None:
    edit(directory / "site.yaml", "    backup: pbs-dc", "    #")
    assert {(fault.code, fault.path) for fault in faults_of(directory)} == {
        ("site.no-backup-storage", f"serviceClasses.{name}.backup")
        for name in ("critical", "normal", "basic")
    }


def test_copies_elsewhere_that_are_promised_need_a_server_that_pulls(directory: Path) -> None:
    edit(directory / "site.yaml", "    syncedTo: pbs-drc\n", "")
    (fault,) = faults_of(directory)
    assert (fault.code, fault.path) == ("site.drc-no-sync", "serviceClasses.critical.drc.method")
    assert fault.file == str(directory / "catalogue.yaml")


def test_a_recovery_network_may_have_the_addresses_of_the_one_it_stands_in_for(
    directory: Path,
) -> None:
    edit(directory / "site.yaml", "vlan: 110", "vlan: 110\n    recovery: rsud-app")
    edit(directory / "site.yaml", "vlan: 111", "vlan: 110")
    edit(directory / "site.yaml", "cidr: 10.10.111.0/24", "cidr: 10.10.110.0/24")
    edit(directory / "site.yaml", "gateway: 10.10.111.1", "gateway: 10.10.110.1")
    edit(directory / "site.yaml", "10.10.111.1-10.10.111.20", "10.10.110.1-10.10.110.20")
    assert load_site(directory).info.networks["dinkes-app"].recovery == "rsud-app"


def test_parents_that_go_in_a_circle_are_told_of_each(directory: Path) -> None:
    edit(directory / "opd" / "dinkes.yaml", "  pool:", "  parent: rsud\n  pool:")
    assert [(Path(fault.file or "").name, fault.code) for fault in faults_of(directory)] == [
        ("dinkes.yaml", "site.parent-cycle"),
        ("rsud.yaml", "site.parent-cycle"),
    ]


def test_an_opd_above_a_circle_is_not_blamed(directory: Path) -> None:
    edit(directory / "opd" / "dinkes.yaml", "  pool:", "  parent: rsud\n  pool:")
    edit(directory / "opd" / "bkad.yaml", "  pool:", "  parent: dinkes\n  pool:")
    assert "bkad.yaml" not in {Path(fault.file or "").name for fault in faults_of(directory)}


def test_all_faults_of_all_files_come_together(directory: Path) -> None:
    edit(directory / "site.yaml", "zone: Asia/Jakarta", "zone: WIB")
    edit(directory / "site.yaml", "language: id", "lang: id")
    edit(directory / "catalogue.yaml", "cpu: 2", "cpu: 0")
    edit(directory / "people.yaml", "login: asep", "login: siti")
    edit(directory / "opd" / "bkad.yaml", "code: bkad", "code: no")
    edit(directory / "opd" / "rsud.yaml", "11000-11499", "10000-11499")
    (directory / "opd" / "disdukcapil.yaml").write_bytes(b"\xff")
    assert [(Path(fault.file or "").name, fault.code) for fault in faults_of(directory)] == [
        ("catalogue.yaml", "document.too-small"),
        ("bkad.yaml", "document.ambiguous"),
        ("disdukcapil.yaml", "document.not-utf8"),
        ("rsud.yaml", "site.vmids-overlap"),
        ("people.yaml", "site.equal-logins"),
        ("site.yaml", "site.zone"),
        ("site.yaml", "document.unknown-key"),
    ]


@pytest.mark.parametrize("name", ["catalogue.yaml", "people.yaml"])
def test_a_file_that_is_absent_is_told(name: str, directory: Path) -> None:
    (directory / name).unlink()
    assert [(fault.code, fault.file) for fault in faults_of(directory)] == [
        ("document.not-found", str(directory / name))
    ]


def test_no_site_names_the_command_that_makes_one(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path / "nowhere")
    assert fault.code == "site.none"
    _, then = explain(fault.code, "en", fault.values)
    assert f"cloudpemda init {tmp_path / 'nowhere'}" in then


@pytest.mark.parametrize("name", ["dinkes.yml", "notes.txt", "sub"])
def test_an_opd_file_that_would_be_overlooked_is_told(name: str, directory: Path) -> None:
    path = directory / "opd" / name
    path.mkdir() if name == "sub" else path.write_text("")
    (fault,) = faults_of(directory)
    assert (fault.code, fault.file) == ("site.file-name", str(path))


def test_an_opd_folder_that_is_none_is_told(directory: Path) -> None:
    shutil.rmtree(directory / "opd")
    (directory / "opd").write_text("")
    assert ("document.unreadable", str(directory / "opd")) in [
        (fault.code, fault.file) for fault in faults_of(directory)
    ]


def test_editors_leftovers_are_no_opds(directory: Path) -> None:
    (directory / "opd" / ".dinkes.yaml.swp").write_text("")
    (directory / "opd" / "dinkes.yaml~").write_text("")
    assert "dinkes" in load_site(directory).opds


def test_a_link_in_the_site_is_not_followed(directory: Path) -> None:
    (directory / "people.yaml").rename(directory / "real.yaml")
    (directory / "people.yaml").symlink_to("real.yaml")
    assert [fault.code for fault in faults_of(directory)] == ["document.symlink"]


# -- quotas ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "beyond"),
    [("vcpu: 12", "vcpu: 1000001"), ("memory: 32 GiB", "memory: 1025 TiB")],
)
def test_a_limit_beyond_all_reason_is_a_slip(directory: Path, said: str, beyond: str) -> None:
    edit(directory / "opd" / "bkad.yaml", said, beyond)
    assert [fault.code for fault in faults_of(directory)] == ["document.too-big"]


def test_quota_says_none_unlimited_and_default(directory: Path) -> None:
    edit(directory / "opd" / "bkad.yaml", "vcpu: 12", "vcpu: unlimited")
    edit(directory / "opd" / "bkad.yaml", "instances: 5", "instances: 0")
    edit(directory / "opd" / "bkad.yaml", "  backup: 1 TiB\n", "")
    site = load_site(directory)
    limits = site.effective_quota("bkad")
    assert dict(limits) == {
        "instances": 0,
        "vcpu": None,
        "memory": 32 * 1024,
        "disk.ssd": 600 * 1024,
        "disk.hdd": 1024 * 1024,
        "backup": site.info.defaults.quota.backup,
        "public_ip": 0,
    }


def test_a_site_that_is_loaded_cannot_be_changed(directory: Path) -> None:
    site = load_site(directory)
    tables: tuple[Mapping[str, object], ...] = (site.opds, site.effective_quota("dinkes"))
    for table in tables:
        with pytest.raises(TypeError):
            table["x"] = 1  # type: ignore[index]


# -- secrets ---------------------------------------------------------------------------------
def secret_file(site: Site, mode: int, data: bytes = b"1234-abcd\n") -> None:
    path = site.path("secrets/dc.token")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def test_a_private_secret_is_read(directory: Path) -> None:
    site = load_site(directory)
    secret_file(site, 0o600)
    assert site.secret("secrets/dc.token") == "1234-abcd"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_secret_that_others_may_read_is_refused(mode: int, directory: Path) -> None:
    site = load_site(directory)
    secret_file(site, mode)
    with pytest.raises(InvalidInput) as caught:
        site.secret("secrets/dc.token")
    (fault,) = caught.value.faults
    assert (fault.code, fault.values["mode"]) == ("document.not-private", f"{mode:04o}")
    assert "1234" not in repr(caught.value.faults)


@pytest.mark.parametrize("data", [b"", b"\n", b"two words", b"a\nb", b"\xff\xfe", b"a\x00b"])
def test_a_secret_is_one_printable_word_and_never_repeated(data: bytes, directory: Path) -> None:
    site = load_site(directory)
    secret_file(site, 0o600, data)
    with pytest.raises(InvalidInput) as caught:
        site.secret("secrets/dc.token")
    assert [fault.code for fault in caught.value.faults] == ["site.secret"]
    assert dict(caught.value.faults[0].values) == {}


def test_a_secret_behind_a_link_or_nowhere_is_refused(directory: Path) -> None:
    site = load_site(directory)
    secret_file(site, 0o600)
    site.path("link").symlink_to("secrets/dc.token")
    for name, code in (("link", "document.symlink"), ("nowhere", "document.not-found")):
        with pytest.raises(InvalidInput) as caught:
            site.secret(name)
        assert [fault.code for fault in caught.value.faults] == [code]


def test_what_somebody_only_stands_in_for_is_not_delegated_again(directory: Path) -> None:
    letter = 'letter: {number: "800/77/2026", date: 2026-11-19}'
    dated = "since: 2026-11-20 08:00, until: 2026-11-27 16:00"
    text = (directory / "people.yaml").read_text()
    passed = (
        f"\ndelegations:\n"
        f"  - {{from: hendra, to: dewi, as: plh, role: approver, {letter}, {dated}}}\n"
        f"  - {{from: dewi, to: yanti, as: plt, role: approver, {letter}, {dated}}}\n"
    )
    (directory / "people.yaml").write_text(text + passed)
    (fault,) = faults_of(directory)
    assert (fault.code, fault.path) == ("site.delegation-passed-on", "delegations[1].from")
    assert fault.line is not None
    assert fault.line > text.count("\n")
