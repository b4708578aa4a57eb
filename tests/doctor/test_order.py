"""The clock of this machine beside what the ledger has seen."""

from datetime import timedelta

import pytest

from cloudpemda.errors import ExitCode, Unreachable
from cloudpemda.proxmox import BackupServer, Pve
from cloudpemda.site import load_site
from cloudpemda.units import Instant
from cloudpemda.usecases.doctor import diagnose
from tests.doctor.conftest import ROOT
from tests.ledger.makers import START, ManualClock


def nowhere(name: str) -> Pve:
    raise Unreachable("pve.unreachable", cluster=name)


def no_server(name: str) -> BackupServer:
    raise Unreachable("pve.unreachable", cluster=name)


@pytest.mark.parametrize(
    ("ahead", "codes"),
    [
        (None, {}),
        (timedelta(minutes=2), {"doctor.clock-order": ExitCode.DONE}),
        (timedelta(minutes=3), {"doctor.clock-back": ExitCode.FINDINGS}),
    ],
)
def test_a_clock_behind_the_ledger_is_a_finding(
    ahead: timedelta | None, codes: dict[str, ExitCode]
) -> None:
    newest = None if ahead is None else Instant(START + ahead)
    site = load_site(ROOT / "inventories/lab")
    report = diagnose(site, nowhere, no_server, ManualClock(), newest)
    of_ledger = ("doctor.clock-order", "doctor.clock-back")
    found = {one.code: one.exit_code for one in report.findings if one.code in of_ledger}
    assert found == codes
