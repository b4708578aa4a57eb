"""The backups that a VM could be restored from, as the storage lists them."""

from tests.scenarios.conftest import Office

KEY = "bkad/simkeu"
VM = f"{KEY}/app-1"


def test_backups_are_listed_newest_first_to_those_who_may_see(office: Office) -> None:
    office.built("simkeu.yaml", KEY)
    assert office.run("vm", "backups", VM).data == []
    office.lab.post("/advance", {"seconds": 3 * 86400})
    seen = len(office.requests())
    found = office.run("vm", "backups", VM, actor="nina").data
    assert office.writes_since(seen) == []
    taken = [one["backup"]["taken_at"] for one in found]
    assert len(taken) >= 2
    assert taken == sorted(taken, reverse=True)
    assert all(one["since_known"] for one in found)
    assert [one["age"] for one in found] == sorted(one["age"] for one in found)
    assert found[0]["backup"]["volume"] in office.text("vm", "backups", VM).out.replace("\n", "")
    assert office.run("vm", "backups", VM, actor="siti").codes == ["desk.scope"]
    assert office.run("vm", "backups", f"{KEY}/app-9").codes == ["ledger.no-instance"]
