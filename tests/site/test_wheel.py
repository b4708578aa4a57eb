"""The wheel carries example sites and templates, and nothing that a running site left behind."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
_INIT = """
import sys
from pathlib import Path
from cloudpemda.render import template_directory
from cloudpemda.site import load_site
from cloudpemda.site.scaffold import scaffold
assert template_directory().is_relative_to(sys.path[0])
scaffold(Path("new"), "rudi", "baru")
print(load_site(Path("new")).info.site.name)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, in which a lab has run and secrets lie about."""
    here = tmp_path_factory.mktemp("wheel")
    source = here / "source"
    unwanted = shutil.ignore_patterns("var", "__pycache__")
    for name in ("cloudpemda", "inventories", "templates"):
        shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    for left in ("lab/var/lab/dc.token", "purwakarta/secrets/dc.token"):
        path = source / "inventories" / left
        path.parent.mkdir(parents=True)
        path.write_text("a secret")
    subprocess.run([sys.executable, "-c", _BUILD, str(here)], cwd=source, check=True, timeout=600)
    (wheel,) = here.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(here / "unpacked")
    return here / "unpacked"


def test_it_carries_no_secret(unpacked: Path) -> None:
    parts = {part for path in unpacked.rglob("*") for part in path.relative_to(unpacked).parts}
    assert parts.isdisjoint({"var", "secrets", "dc.token"})


@pytest.mark.parametrize("folder", ["inventories", "templates"])
def test_it_carries_what_the_checkout_has(folder: str, unpacked: Path) -> None:
    def files(top: Path) -> set[str]:
        found = {path.relative_to(top) for path in top.rglob("*") if path.is_file()}
        return {str(path) for path in found if not {"var", "secrets"} & set(path.parts)}

    assert files(unpacked / "cloudpemda" / "data" / folder) == files(ROOT / folder)


def test_a_site_can_be_made_from_it_in_an_empty_directory(unpacked: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(unpacked)!r})\n{_INIT}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert done.stdout.strip() == "baru"
