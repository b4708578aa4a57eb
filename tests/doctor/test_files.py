"""What doctor sees in the site's files alone: its secrets, and the key for the inside of VMs."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudpemda.errors import ExitCode
from cloudpemda.site import Site, load_site
from cloudpemda.site.models import ConfigureSettings
from cloudpemda.units import Instant
from cloudpemda.usecases.doctor import Level, diagnose_files

PURWAKARTA = Path(__file__).parents[2] / "inventories" / "purwakarta"
NOW = Instant(datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture(scope="module")
def example() -> Site:
    return load_site(PURWAKARTA)


@pytest.fixture
def site(example: Site, tmp_path: Path) -> Site:
    """The example with secrets of its own and a key."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("dc", "drc", "pbs-dc", "pbs-drc"):
        file = secrets / f"{name}.token"
        file.write_text("1b2c-3d4e\n")
        file.chmod(0o600)
    _keygen(secrets / "site-key")
    wish = ConfigureSettings(key="secrets/site-key")
    return replace(
        example, directory=tmp_path, info=example.info.model_copy(update={"configure": wish})
    )


def _keygen(file: Path, passphrase: str = "") -> None:
    file.unlink(missing_ok=True)
    command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(file))
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _bare(site: Path) -> None:
    for file in (site / "secrets").iterdir():
        file.unlink()


def _other_key(site: Path) -> None:
    key = site / "secrets/site-key"
    public = Path(f"{key}.pub").read_bytes()
    _keygen(key)
    Path(f"{key}.pub").write_bytes(public)


def _passphrase(site: Path) -> None:
    _keygen(site / "secrets/site-key", "abc12345")


def _open_token(site: Path) -> None:
    (site / "secrets/dc.token").chmod(0o644)


def _two_words(site: Path) -> None:
    (site / "secrets/dc.token").write_text("secret: 1b2c\n")


def _lost_half(site: Path) -> None:
    (site / "secrets/site-key").unlink()


def _open_key(site: Path) -> None:
    (site / "secrets/site-key").chmod(0o640)


@pytest.mark.parametrize(
    ("spoil", "code", "level"),
    [
        (lambda _: None, None, Level.OK),
        (_bare, "configure.key-absent", Level.WARN),
        (_open_key, "document.not-private", Level.FAIL),
        (_lost_half, "document.not-found", Level.FAIL),
        (_passphrase, "configure.key-unreadable", Level.FAIL),
        (_other_key, "configure.key-differs", Level.FAIL),
        (_open_token, "document.not-private", Level.FAIL),
        (_two_words, "site.secret", Level.FAIL),
    ],
)
def test_secrets_and_the_key_are_looked_at(
    site: Site, spoil: Callable[[Path], None], code: str | None, level: Level
) -> None:
    spoil(site.directory)
    report = diagnose_files(site, NOW)
    of_files = [one for one in report.findings if one.values.get("file")]
    told = {one.code for one in of_files if one.level is level}
    assert told >= ({code} if code else set())
    assert (code is None) is (not of_files)
    failed = level is Level.FAIL
    assert report.exit_code is (ExitCode.INVALID if failed else ExitCode.DONE)
