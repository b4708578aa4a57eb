"""Several hosts on one ledger on a server: one key, a head file each, and no false alarm."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import Refused
from cloudpemda.ledger import Ledger, open_ledger
from cloudpemda.ledger.audit.keys import new_signer
from tests.ledger.makers import OPERATOR, SITI, ManualClock, workload
from tests.ledger.servers import postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


def host(server: str, base: Path) -> Ledger:
    return open_ledger(server, base, ManualClock(), SeededEntropy(len(str(base))), identity="login")


def deed(ledger: Ledger, name: str) -> None:
    ledger.requests.submit(workload(name=name), "", SITI)


def take(from_: Path, to: Path, *names: str) -> None:
    for name in names:
        shutil.copy(from_ / "var" / name, to / "var" / name)


def test_hosts_share_a_key_and_follow_each_other(server: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with host(server, here) as one, host(server, there) as other:
        deed(one, "a")
        assert [record.key for record in other.requests.list()] == ["dinkes/a"]
        with pytest.raises(Refused, match=r"audit\.key-missing"):
            deed(other, "b")
        (there / "var/audit.key").write_text(new_signer().private_pem)
        (there / "var/audit.key").chmod(0o600)
        with pytest.raises(Refused, match=r"audit\.key-other"):
            deed(other, "b")
        take(here, there, "audit.key", "audit.pub", "audit.head")
        for number in range(3):
            deed(other, f"there-{number}")
            deed(one, f"here-{number}")
        assert one.audit.verify() == other.audit.verify() == ()

        one.audit.rotate_key(OPERATOR, "an employee left")
        with pytest.raises(Refused, match=r"audit\.key-other") as refusal:
            deed(other, "c")
        assert refusal.value.values["found"] != refusal.value.values["wanted"]
        take(here, there, "audit.key", "audit.pub")
        deed(other, "c")
        assert one.audit.verify() == other.audit.verify() == ()

        copy = tmp_path / "copy"
        one.backups.write(copy, bytes(32), site="lab", program="x", tell=lambda *_: None)
        deed(other, "d")
        one.backups.restore(
            copy, bytes(32), site="lab", program="x", identity="login", keep=tmp_path / "kept",
            actor=OPERATOR, tell=lambda *_: None,
        )  # fmt: skip
        assert one.audit.verify() == other.audit.verify() == ()
        deed(other, "e")
        deed(one, "f")
        assert one.audit.verify() == other.audit.verify() == ()
