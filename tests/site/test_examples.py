"""The example sites load without a fault, and their requests are what their comments say."""

from pathlib import Path

import pytest

from cloudpemda.errors import InvalidInput
from cloudpemda.request import read
from cloudpemda.site import Site, load_site

INVENTORIES = Path(__file__).parents[2] / "inventories"
SITES = sorted(path.parent for path in INVENTORIES.glob("*/site.yaml"))
GOOD = sorted(path for path in INVENTORIES.glob("*/requests/*.yaml") if path.stem != "faulty")


@pytest.fixture(scope="module")
def lab() -> Site:
    return load_site(INVENTORIES / "lab")


@pytest.mark.parametrize("directory", SITES, ids=lambda path: path.name)
def test_every_example_site_loads(directory: Path) -> None:
    assert load_site(directory).opds


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_every_example_request_is_valid(path: Path) -> None:
    site = load_site(path.parents[1])
    spec = read(path, site.catalogue.flavors)
    assert spec.opd in site.opds
    assert spec.service_class in site.catalogue.service_classes
    for vm in spec.vms:
        assert vm.image in site.catalogue.images
        for nic in vm.networks:
            assert nic.network in site.opds[spec.opd].allow.networks
        for disk in vm.disks:
            assert disk.storage_class in site.info.storage_classes


def test_the_regency_has_all_its_agencies_each_with_a_network_of_its_own() -> None:
    regency = load_site(INVENTORIES / "purwakarta")
    districts = [code for code in regency.opds if code.startswith("kec-")]
    units = [code for code, opd in regency.opds.items() if opd.opd.parent]
    assert (len(districts), units, len(regency.opds)) == (17, ["rsud"], 27 + 17 + 1)
    assert len(regency.info.clusters["dc"].endpoints) == 10
    public = regency.info.public_addresses
    assert public is not None
    assert public.cidr.endswith("/28"), "sixteen addresses"
    for code, opd in regency.opds.items():
        assert [regency.info.networks[name].opd for name in opd.allow.networks] == [code]


def test_the_faulty_example_tells_all_its_faults_in_order(lab: Site) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(INVENTORIES / "lab" / "requests" / "faulty.yaml", lab.catalogue.flavors)
    faults = caught.value.faults
    assert [(fault.line, fault.path, fault.code) for fault in faults] == [
        (6, "metadata.name", "document.name"),
        (8, "metadata.letter.date", "document.date"),
        (11, "metadata.requester.nip", "document.text-expected"),
        (13, "metadata.requester.email", "document.email"),
        (20, "spec.vms[0].cuont", "request.unknown-key"),
        (21, "spec.vms[0].keepApart", "document.ambiguous"),
        (24, "spec.vms[0].memory", "unit.missing"),
        (27, "spec.vms[0].disks[1].name", "request.equal-names"),
        (27, "spec.vms[0].disks[1].size", "unit.size"),
        (29, "spec.vms[0].sshKeys[0]", "request.ssh-key"),
        (30, "spec.vms[0].checks", "request.not-yet"),
    ]


def test_too_big_is_over_two_dimensions_and_more_of_its_quota(lab: Site) -> None:
    spec = read(INVENTORIES / "lab" / "requests" / "too-big.yaml", lab.catalogue.flavors)
    limits = lab.effective_quota(spec.opd)
    cores = sum(vm.count * vm.cpu for vm in spec.vms)
    memory = sum(vm.count * vm.memory for vm in spec.vms)
    assert limits["vcpu"] is not None
    assert limits["memory"] is not None
    assert cores > limits["vcpu"]
    assert memory > limits["memory"]


def test_a_upt_stands_under_its_dinas(lab: Site) -> None:
    assert lab.opds["rsud"].opd.parent == "dinkes"


def test_an_absent_dimension_takes_the_sites_default(lab: Site) -> None:
    own, default = lab.opds["disdukcapil"].quota, lab.info.defaults.quota
    assert "hdd" not in own.disk
    assert lab.effective_quota("disdukcapil")["disk.hdd"] == default.disk["hdd"] == 1024 * 1024
    assert lab.effective_quota("disdukcapil")["disk.ssd"] == own.disk["ssd"]
