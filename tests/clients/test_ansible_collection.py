"""The modules of community.proxmox, from the published `ansible` package, drive the lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.labs import layout, running_lab

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
COLLECTION = "ansible_collections/community/proxmox/"


@pytest.fixture(scope="module")
def playbook_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ansible-playbook` in an environment of its own, beside the one collection."""
    home = tmp_path_factory.mktemp("ansible")
    subprocess.run([sys.executable, "-m", "venv", home / "env"], check=True)
    python = str(home / "env" / "bin" / "python")
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = ["ansible-core==2.19.14", "proxmoxer==2.3.0", "requests"]
    subprocess.run([*pip, "install", *wanted], check=True)
    # The whole package is 590 MB once unpacked; its wheel is a tenth of that.
    subprocess.run([*pip, "download", "--no-deps", "-d", str(home), "ansible==12.3.0"], check=True)
    (wheel,) = home.glob("ansible-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        members = [name for name in packed.namelist() if name.startswith(COLLECTION)]
        packed.extractall(home / "collections", members)
    wheel.unlink()
    return home / "env" / "bin" / "ansible-playbook"


@pytest.mark.parametrize("version", ["9.2", "8.4"])
def test_its_modules_make_what_they_are_asked_for_and_change_nothing_twice(
    playbook_command: Path, version: str, tmp_path: Path
) -> None:
    described = layout()
    described["clock"] = {"rate": 20}  # the modules wait by the clock on the wall
    described["clusters"]["dc"]["version"] = version
    with running_lab(tmp_path / "lab", described) as lab:
        environment = {
            **os.environ,
            "LAB_ROOT_PASSWORD": lab.root_password(),
            "REQUESTS_CA_BUNDLE": str(lab.ca),
            "ANSIBLE_COLLECTIONS_PATH": str(playbook_command.parents[2] / "collections"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "LC_ALL": "C.UTF-8",
        }

        def play(*, first: bool) -> tuple[str, str]:
            """The play's recap, and all that it said."""
            given = {"lab_port": urlsplit(lab.url("pve1")).port, "first": first}
            command = [str(playbook_command), "-i", "localhost,", "-e", json.dumps(given)]
            ran = subprocess.run(
                [*command, str(HERE / "community_proxmox.yml")],
                env=environment, capture_output=True, text=True, timeout=600, check=False,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
            return ran.stdout.partition("PLAY RECAP")[2], ran.stdout

        recap, said = play(first=True)
        assert "changed=9 " in recap, said
        vm = lab.control.vms()[101]
        assert (vm["status"], vm["config"]["name"]) == ("running", "web-2")
        state = lab.control.state()["dc"]
        assert state["pools"]["dinkes"]["vms"] == [101]
        assert list(state["ha_resources"]) == ["vm:101"]
        assert state["access"]["users"]["sri@pve"]["groups"] == ["staff"]
        assert [v["vmid"] for v in state["volumes"] if v["content"] == "backup"] == [101]
        recap, said = play(first=False)
        assert "changed=0 " in recap, said
