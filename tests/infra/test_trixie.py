"""Debian 13, which PVE 9 stands on: what differs from Debian 12 under the roles.

All of this room runs there with CLOUDPEMDA_INFRA_RELEASE=trixie; here is what each CI sees.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.bed import RELEASE, Bed, cached, lacking, run
from tests.infra.conftest import ROOT, Hosts
from tests.infra.test_program import asked, build
from tests.infra.test_vm_roles import changes, play, vm

_PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    if (reason := lacking()) is not None:
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("trixie")
    bed = Bed(place, "trixie", ("n1", "n2"))
    try:
        bed.start()
        yield Hosts(bed, place)
    finally:
        bed.stop()


def twice(hosts: Hosts, playbook: str, **wanted: Any) -> None:
    """Does something, and then nothing."""
    first = hosts.play(playbook, **wanted)
    assert first.rc == 0, first.output
    assert first.tasks
    second = hosts.play(playbook, **wanted)
    assert second.rc == 0, second.output
    assert second.tasks == ()


def test_sources_clock_and_ways_in(newer: Hosts) -> None:
    enterprise = (
        "Types: deb\nURIs: https://enterprise.proxmox.com/debian/pve\nSuites: trixie\n"
        "Components: pve-enterprise\nSigned-By: /usr/share/keyrings/proxmox-archive-keyring.gpg\n"
    )
    brought = "/etc/apt/sources.list.d/pve-enterprise.sources"
    newer.bed.run("n1", f"printf '%s' '{enterprise}' > {brought}")
    twice(newer, "base.yml")
    host = newer.on("n1")
    assert host.file("/etc/locale.conf").content_string == "LANG=C.UTF-8\n"  # outlives a restart
    assert host.file(brought).content_string == "Enabled: no\n" + enterprise
    ours = host.file("/etc/apt/sources.list.d/cloudpemda-pve.sources").content_string
    assert "Suites: trixie\nComponents: pve-no-subscription\nSigned-By: /usr/share/" in ours
    fetched = newer.bed.run("n1", "apt-get update --print-uris")
    assert "/debian/pve/dists/trixie/" in fetched
    assert "enterprise" not in fetched
    assert "10.77.10.254" in host.check_output("chronyc -n sources")
    told = "Using leap second list /usr/share/zoneinfo/leap-seconds.list"
    newer.bed.wait_for("n1", f"journalctl -b -u chrony | grep -q '{told}'")

    twice(
        newer, "hardening.yml", limit="n1", hardening_undo_seconds=240,
        hardening_other_networks=["10.77.10.2"], site_admin_networks=["10.77.10.254"],
        hardening_cluster_networks=["10.77.20.0/24"],
    )  # fmt: skip
    assert "passwordauthentication no" in host.check_output("sshd -T")
    # This sshd makes who fails wait by itself: others, not who administers.
    guess = (
        "f=$(mktemp -d)/key; ssh-keygen -q -t ed25519 -N '' -f $f; for i in 1 2 3 4 5 6; do "
        "timeout 60 ssh -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no "
        "-o UserKnownHostsFile=/dev/null -i $f root@10.77.10.1 & done; wait"
    )  # at once: five seconds are forgiven in five seconds
    newer.bed.outside("sh", "-c", guess)
    way = ("-F", newer.bed.ssh_config, "-o", "ControlPath=none", "10.77.10.1")
    assert run("ssh", *way, "echo in") == "in\n"
    newer.bed.run("n2", guess, check=False)
    newer.bed.run("n2", guess, check=False)
    refused = "journalctl -b -u ssh | grep -q 'penalty: failed authentication'"
    newer.bed.wait_for("n1", refused)


def wheels() -> Path:
    """What the program needs, for Debian 13's Python, of the newest versions there are."""

    def make(made: Path) -> None:
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                 "--only-binary=:all:", "--python-version=3.13", f"--dest={made}",
                 *(f"--platform={one}_x86_64" for one in _PLATFORMS)]  # fmt: skip
        subprocess.run([*words, *asked()], check=True, capture_output=True)

    name = hashlib.sha256(" ".join(asked()).encode()).hexdigest()[:12]
    return cached(f"wheels-{name}", make)


@pytest.mark.skipif(RELEASE != "trixie", reason="fetches packages: with the rest, where asked for")
def test_the_program_runs_on_its_python(newer: Hosts) -> None:
    place = newer.place / "regency"
    shutil.copytree(ROOT / "inventories/lab", place, ignore=shutil.ignore_patterns("var"))
    shutil.copytree(wheels(), newer.bed.shared / "wheels")
    twice(
        newer, "cloudpemda.yml", groups={"desk": ["n2"]}, skip="", cloudpemda_site_files=str(place),
        cloudpemda_wheel=str(build(newer.place)), cloudpemda_wheels=f"{fake_pve.HOME}/wheels",
    )  # fmt: skip
    program = "runuser -u cloudpemda -- /opt/cloudpemda/bin/cloudpemda"
    said = newer.bed.run("n2", f"{program} --site /etc/cloudpemda/regency doctor --offline 2>&1")
    assert "setiap tahap persetujuan memiliki orang yang boleh memutus" in said
    log = newer.bed.run("n2", "/opt/cloudpemda/bin/python --version")
    assert log.startswith("Python 3.13.")
    assert newer.on("n2").service("cloudpemda-nightly@regency.timer").is_running


def test_roles_of_vms_find_the_versions_that_are_there(newer: Hosts, tmp_path: Path) -> None:
    database, web = vm(newer, "n2", {"database": "simrs"}), vm(newer, "n2", {}, uid="web")
    for role, one in (("postgresql", database), ("nginx", web)):
        assert changes(play(newer, tmp_path, role, [one])) > 0
        assert changes(play(newer, tmp_path, role, [one])) == 0
    ask = "cd /; runuser -u postgres -- psql -Atc 'SHOW server_version' simrs"
    assert newer.bed.run("n2", ask).startswith("17.")
    asked = "import urllib.request as r; print(r.urlopen('http://127.0.0.1/').headers)"
    newer.bed.run("n2", "echo ok > /var/www/cloudpemda/index.html")
    assert "Server: nginx\n" in newer.bed.run("n2", f'python3 -c "{asked}"')
