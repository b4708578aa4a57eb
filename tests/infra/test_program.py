"""The desk's machine: the program from wheels, without a network, and one site."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.infra.bed import RELEASE
from tests.infra.conftest import ROOT, Hosts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11) or RELEASE != "bookworm",
        reason="the hosts have Python 3.11",
    ),
]


def _needed(
    requirements: list[str], extra: str, found: dict[str, Distribution]
) -> dict[str, Distribution]:
    """What these need to run, as installed here."""
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
            continue
        one = distribution(wanted.name)
        name = one.metadata["Name"].lower().replace("_", "-")
        if name not in found or wanted.extras:
            found[name] = one
            for more in ("", *wanted.extras):
                _needed(one.requires or [], more, found)
    return found


def asked() -> list[str]:
    """What the program says that it needs."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(said["project"]["dependencies"])


def build(place: Path) -> Path:
    """The program as a wheel."""
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
             "--no-build-isolation", "--wheel-dir", str(place), str(ROOT)]  # fmt: skip
    subprocess.run(words, check=True)
    (ours,) = place.glob("cloudpemda-*.whl")
    return ours


def _wheel(one: Distribution, place: Path) -> None:
    """An installed package packed again, so that no test waits for a network."""
    tags = [line for line in (one.read_text("WHEEL") or "").splitlines() if line.startswith("Tag:")]
    name = one.metadata["Name"].replace("-", "_").replace(".", "_")
    made = place / f"{name}-{one.version}-{tags[-1].partition(': ')[2]}.whl"
    with zipfile.ZipFile(made, "w") as packed:
        for file in one.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                packed.write(str(one.locate_file(file)), str(file))


def _site(place: Path) -> Path:
    for name, text in {
        "site.yaml": "site: {name: regency}\n", "opd/dinkes.yaml": "code: dinkes\n",
        "secrets/dc.token": "never-shown\n", "var/ledger.sqlite3": "another ledger",
    }.items():  # fmt: skip
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def test_the_program_and_its_timers_are_there_once(hosts: Hosts) -> None:
    wheels = hosts.bed.shared / "wheels"
    wheels.mkdir()
    ours = build(hosts.place)
    for one in _needed(asked(), "", {}).values():
        _wheel(one, wheels)
    wanted: dict[str, Any] = {
        "groups": {"desk": ["n2"]},
        "cloudpemda_site": "regency",
        "cloudpemda_site_files": str(_site(hosts.place / "site")),
        "cloudpemda_wheel": str(ours),
        "cloudpemda_wheels": "/var/lib/fake-pve/wheels",
        "skip": "",
    }
    lost = {"cloudpemda_wheel": "/nowhere/none.whl", "cloudpemda_wheels": "/nowhere"}
    refused = hosts.play("cloudpemda.yml", **{**wanted, **lost})
    assert "/nowhere/none.whl is not on the machine" in refused.failures["n2"]
    assert "/nowhere is no directory here" in refused.failures["n2"]
    assert refused.tasks == ()
    tried = hosts.play("cloudpemda.yml", check=True, **wanted)
    assert tried.rc == 0, tried.output
    assert not hosts.on("n2").file("/opt/cloudpemda-wheel").exists
    first = hosts.play("cloudpemda.yml", **wanted)
    assert first.rc == 0, first.output
    assert "never-shown" not in first.output
    hosts.bed.run("n2", "echo kept > /etc/cloudpemda/regency/var/ledger.sqlite3")
    hosts.settle("cloudpemda.yml", **wanted)
    with zipfile.ZipFile(ours, "a") as packed:  # another build of the same version
        packed.writestr("cloudpemda/_rebuilt.txt", "rebuilt")
    third = hosts.play("cloudpemda.yml", tags="program", **wanted)
    assert third.rc == 0, third.output
    assert "n2: Another build under the same version" in third.tasks
    host = hosts.on("n2")
    there = "/opt/cloudpemda/lib/python3.11/site-packages/cloudpemda/_rebuilt.txt"
    assert host.file(there).exists
    said = host.check_output("runuser -u cloudpemda -- /opt/cloudpemda/bin/cloudpemda --help")
    assert "nightly" in said
    for timer in ("nightly", "inbox"):
        assert host.service(f"cloudpemda-{timer}@regency.timer").is_enabled
        assert host.service(f"cloudpemda-{timer}@regency.timer").is_running
    site = "/etc/cloudpemda/regency"
    assert host.file(f"{site}/secrets/dc.token").mode == 0o600
    assert host.file(f"{site}/secrets/dc.token").user == "cloudpemda"
    assert host.file(f"{site}/site.yaml").mode == 0o640
    assert host.file(f"{site}/var").mode == 0o700
    assert host.file(f"{site}/var/ledger.sqlite3").content_string == "kept\n"
