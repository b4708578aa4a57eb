"""A new site: complete, commented, loads at once, and never written over something."""

from pathlib import Path

import pytest

from cloudpemda.errors import ExitCode, InvalidInput, UsageError
from cloudpemda.request import read
from cloudpemda.site import load_site
from cloudpemda.site.scaffold import scaffold


def files_below(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()
    )


def test_what_is_written_loads_without_a_fault(tmp_path: Path) -> None:
    written = scaffold(tmp_path / "a" / "site", login="rudi", name="karawang")
    site = load_site(tmp_path / "a" / "site")
    assert site.info.site.name == "karawang"
    assert [person.login for person in site.people] == ["rudi"]
    assert sorted(str(path.relative_to(tmp_path / "a" / "site")) for path in written) == (
        files_below(tmp_path / "a" / "site")
    )


def test_its_example_request_is_valid_there(tmp_path: Path) -> None:
    scaffold(tmp_path, login="rudi")
    site = load_site(tmp_path)
    spec = read(tmp_path / "requests" / "contoh.yaml", site.catalogue.flavors)
    assert spec.opd in site.opds
    assert spec.service_class in site.opds[spec.opd].allow.service_classes


def test_secrets_have_a_private_place_that_is_not_versioned(tmp_path: Path) -> None:
    scaffold(tmp_path, login="rudi")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".gitignore").read_text().split() == ["var/", "secrets/"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Kab. Purwakarta", "kab-purwakarta"),
        ("2026", "situs"),
        ("x" * 60, "x" * 32),
        ("_", "situs"),
    ],
)
def test_the_site_is_called_like_its_directory(folder: str, name: str, tmp_path: Path) -> None:
    scaffold(tmp_path / folder, login="rudi")
    assert load_site(tmp_path / folder).info.site.name == name


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError) as caught:
        scaffold(tmp_path, login="rudi")
    assert (caught.value.code, caught.value.exit_code) == ("site.not-empty", ExitCode.USAGE)
    assert files_below(tmp_path) == ["notes"]


@pytest.mark.parametrize("name", ["Kab. Karawang", "", "x" * 33, "1", "{{ x }}"])
def test_a_name_that_is_none_writes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        scaffold(tmp_path / "site", login="rudi", name=name)
    assert caught.value.code == "document.name"
    assert not (tmp_path / "site").exists()


def test_a_place_that_cannot_be_a_directory_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        scaffold(tmp_path / "file", login="rudi")
    assert caught.value.code == "site.not-writable"


@pytest.mark.parametrize("login", ['x"\n  - login: evil', "{{ 7 * 7 }}", "a: b # c"])
def test_values_are_data_in_what_is_written(login: str, tmp_path: Path) -> None:
    """A hostile login is refused by the reader as a login; it adds no person and no key."""
    scaffold(tmp_path, login=login)
    with pytest.raises(InvalidInput) as caught:
        load_site(tmp_path)
    assert {fault.code for fault in caught.value.faults} <= {"site.login", "document.unprintable"}
    assert "evil" not in {fault.path for fault in caught.value.faults}


def test_a_directory_name_adds_no_line(tmp_path: Path) -> None:
    scaffold(tmp_path / "x\nclusters: {}\n# ", login="rudi")
    assert list(load_site(tmp_path / "x\nclusters: {}\n# ").info.clusters) == ["dc"]
