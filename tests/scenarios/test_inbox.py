"""The inbox: what OPD staff put into their folders is taken in, and answered beside each file."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudpemda.clock import Clock
from cloudpemda.document.files import LARGEST
from cloudpemda.units import Instant
from cloudpemda.usecases.inbox import take_inbox
from cloudpemda.wiring import open_desk
from tests.scenarios.conftest import APPROVER, Answer, Office
from tests.scenarios.test_quota_requests import more

OPDS = ("bkad", "dinkes", "disdukcapil", "rsud")


@dataclass(frozen=True)
class Box:
    """An inbox directory of a site."""

    office: Office
    root: Path

    def put(self, opd: str, example: str, name: str | None = None) -> Path:
        """An example request into an OPD's folder."""
        target = self.root / opd / (name or example)
        shutil.copy(self.office.file(example), target)
        return target

    def change(self, file: Path, change: Callable[[dict[str, Any]], None]) -> None:
        document = yaml.safe_load(file.read_text())
        document["metadata"]["letter"]["date"] = str(document["metadata"]["letter"]["date"])
        document["spec"]["until"] = str(document["spec"]["until"])
        change(document)
        file.write_text(json.dumps(document, ensure_ascii=False, indent=1))

    def run(self, *words: str, settle: int = 0, actor: str = "timer") -> Answer:
        return self.office.run(
            "request", "inbox", str(self.root), "--settle", str(settle), *words, actor=actor
        )

    def reply(self, file: Path) -> str:
        return file.with_suffix("").with_name(file.stem + ".balasan.txt").read_text()

    def index(self, opd: str) -> str:
        return (self.root / opd / "DAFTAR.txt").read_text()

    def outcomes(self, answer: Answer) -> dict[str, str]:
        return {one["file"]: one["outcome"] for one in answer.data["files"]}

    def requests(self) -> dict[str, tuple[str, int]]:
        """Key → state and revision."""
        found = self.office.run("request", "list").data
        return {one["key"]: (one["state"], one["revision"]) for one in found}

    def faces(self) -> dict[Path, tuple[int, int, bytes]]:
        """Everything in it: inode, time of change, content."""
        return {
            path: (path.stat().st_ino, path.stat().st_ctime_ns, path.read_bytes())
            for path in self.root.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def box(office: Office, tmp_path: Path) -> Box:
    root = tmp_path / "inbox"
    for opd in OPDS:
        (root / opd).mkdir(parents=True)
    return Box(office, root)


# -- the life of a document ----------------------------------------------------------------------
def test_a_document_is_taken_and_answered_until_it_is_active(box: Box) -> None:
    file = box.put("dinkes", "simrs.yaml")
    answer = box.run()
    assert (answer.code, box.outcomes(answer)) == (0, {"dinkes/simrs.yaml": "taken"})
    assert box.requests() == {"dinkes/simrs": ("pending", 1)}
    assert "DITERIMA: dinkes/simrs bernomor R-2026-0001, revisi 1." in box.reply(file)
    assert "menunggu keputusan" in box.reply(file)
    assert "ditunggu: Hendra Gunawan (hendra)." in box.reply(file)
    assert stat.S_IMODE(file.with_name("simrs.balasan.txt").stat().st_mode) == 0o644

    assert box.office.run("request", "approve", "dinkes/simrs", actor=APPROVER).code == 0
    assert box.run().code == 0
    assert "DISETUJUI oleh Hendra Gunawan pada 20" in box.reply(file)

    assert box.office.run("apply", "dinkes/simrs").code == 0
    assert box.run().code == 0
    said = box.reply(file)
    assert "Keadaan: AKTIF." in said
    for one in box.office.run("status").data["instances"]:
        assert one["name"] in said
        assert f"ssh debian@{one['addresses'][0]}" in said
        assert all(address in said for address in one["public_addresses"])
    assert "DISETUJUI" not in said


def test_running_twice_does_nothing_twice(box: Box) -> None:
    box.put("dinkes", "simrs.yaml")
    faulty = box.put("dinkes", "faulty.yaml")
    first = box.run()
    assert first.code == 7
    entries = len(box.office.run("audit", "log").data)
    before = box.faces()

    again = box.run()
    assert again.code == 7
    assert box.outcomes(again)["dinkes/simrs.yaml"] == "known"
    assert again.codes == first.codes
    assert again.data["replies"] == []
    assert box.faces() == before
    assert len(box.office.run("audit", "log").data) == entries
    assert "BELUM DITERIMA" in box.reply(faulty)


def test_faults_are_told_with_line_and_column_in_indonesian(box: Box) -> None:
    file = box.put("dinkes", "faulty.yaml")
    answer = box.run()
    said = box.reply(file)
    for fault in answer.document["faults"]:
        assert f"baris {fault['line']}, kolom {fault['column']}" in said
        assert f"[{fault['code']}]" in said
    assert len(answer.codes) > 5
    assert "kunci cuont tidak dikenal" in said
    assert "faulty.yaml" in box.index("dinkes")


def test_a_refusal_by_quota_is_answered_with_its_numbers(box: Box) -> None:
    file = box.put("bkad", "too-big.yaml")
    answer = box.run()
    assert (answer.code, answer.codes[0]) == (7, "quota.exceeded")
    assert {fault["file"] for fault in answer.document["faults"]} == {"bkad/too-big.yaml"}
    said = box.reply(file)
    assert "TIDAK DITERIMA" in said
    assert "[quota.memory]" in said
    assert "72 GiB" in said
    assert box.requests() == {}


def test_a_denial_is_answered_with_its_reason_and_a_change_asks_again(box: Box) -> None:
    file = box.put("bkad", "simkeu.yaml")
    box.run()
    reason = "Pakai server bersama dahulu"
    denied = box.office.run("request", "deny", "bkad/simkeu", "--reason", reason, actor="dewi")
    assert denied.code == 0
    box.run()
    assert f"DITOLAK. Alasan: {reason}" in box.reply(file)
    assert box.requests() == {"bkad/simkeu": ("denied", 1)}

    def smaller(document: dict[str, Any]) -> None:
        document["spec"]["purpose"] = "Keuangan daerah, lebih kecil"

    box.change(file, smaller)
    assert box.outcomes(box.run()) == {"bkad/simkeu.yaml": "taken"}
    assert box.requests() == {"bkad/simkeu": ("pending", 2)}
    assert "revisi 2" in box.reply(file)


def test_formatting_comments_and_another_name_are_no_news(box: Box) -> None:
    file = box.put("dinkes", "simrs.yaml")
    box.run()
    file.write_text("# catatan baru\n" + file.read_text())
    file.rename(file.with_name("simrs-final.yml"))
    answer = box.run()
    assert box.outcomes(answer) == {"dinkes/simrs-final.yml": "known"}
    assert box.requests() == {"dinkes/simrs": ("pending", 1)}
    # the reply goes with its document, and one of another ending keeps it in its name
    names = sorted(path.name for path in (box.root / "dinkes").iterdir())
    assert names == ["DAFTAR.txt", "simrs-final.yml", "simrs-final.yml.balasan.txt"]


def test_a_change_to_what_lives_is_answered_beside_it(box: Box) -> None:
    file = box.put("bkad", "simkeu.yaml")
    box.run()
    assert box.office.run("request", "approve", "bkad/simkeu", actor=APPROVER).code == 0
    assert box.office.run("apply", "bkad/simkeu").code == 0

    def larger(document: dict[str, Any]) -> None:
        document["spec"]["vms"][0]["disks"][0]["size"] = "60 GiB"

    box.change(file, larger)
    assert box.outcomes(box.run()) == {"bkad/simkeu.yaml": "taken"}
    said = box.reply(file)
    assert "DITERIMA: bkad/simkeu bernomor R-2026-0001, revisi 2." in said
    assert said.index("Keadaan: AKTIF.") < said.index("Ada permintaan perubahan, revisi 2:")
    assert "menunggu keputusan" in said
    assert "ssh debian@" in said
    assert "aktif (perubahan: menunggu keputusan)" in box.index("bkad")

    reason = "Cukup dengan yang ada"
    box.office.run("request", "deny", "bkad/simkeu", "--reason", reason, actor="dewi")
    box.run()
    assert f"DITOLAK. Alasan: {reason}" in box.reply(file)
    assert "Keadaan: AKTIF." in box.reply(file)


def test_what_ends_soon_is_said(box: Box) -> None:
    file = box.put("bkad", "simkeu.yaml")
    box.run()
    assert box.office.run("request", "approve", "bkad/simkeu", actor=APPROVER).code == 0
    box.run()
    assert "SEGERA BERAKHIR" not in box.reply(file)
    box.office.run("lab", "advance", "12d")
    box.run()
    assert "SEGERA BERAKHIR: penahanannya dilepas setelah 20" in box.reply(file)
    box.office.run("lab", "advance", "3d")
    box.run()
    assert "KEDALUWARSA" in box.reply(file)


def test_a_request_for_quota_is_taken_and_answered_like_one_for_vms(box: Box) -> None:
    asked = Path(more(box.office)).rename(box.root / "bkad" / "tambahan.yaml")
    big = box.put("bkad", "too-big.yaml")
    answer = box.run()
    assert answer.code == 7
    assert box.outcomes(answer) == {"bkad/tambahan.yaml": "taken", "bkad/too-big.yaml": "refused"}
    assert "DITERIMA: bkad/tambahan bernomor Q-2026-0001" in box.reply(asked)
    assert "menunggu keputusan" in box.reply(asked)

    assert "0 dari 2" in box.reply(asked)
    assert "Dewi Lestari (dewi)" in box.reply(asked)
    for actor in ("dewi", APPROVER):
        assert box.office.run("request", "approve", "bkad/tambahan", actor=actor).code == 0
    answer = box.run()
    assert box.outcomes(answer) == {"bkad/tambahan.yaml": "known", "bkad/too-big.yaml": "taken"}
    said = box.reply(asked)
    assert "Keadaan: DIBERIKAN:" in said
    assert "memory 40 GiB" in said
    assert "DITERIMA: bkad/gudang-data bernomor R-2026-0001" in box.reply(big)
    assert "diberikan" in box.index("bkad")

    reason = "Tidak diperlukan lagi"
    ended = ("request", "withdraw", "bkad/tambahan", "--reason", reason)
    assert box.office.run(*ended, actor=APPROVER).code == 0
    box.run()
    box.run()
    assert "Keadaan: BERAKHIR." in box.reply(asked)
    assert reason in box.reply(asked)


def test_a_quota_refusal_that_lasts_is_recorded_once(box: Box) -> None:
    box.put("bkad", "too-big.yaml")
    assert box.run().code == 7
    entries = len(box.office.run("audit", "log").data)
    for _ in range(2):
        assert box.run().data["replies"] == []
    assert len(box.office.run("audit", "log").data) == entries


# -- an old file ---------------------------------------------------------------------------------
def test_what_was_withdrawn_does_not_come_back_because_its_file_lies_there(box: Box) -> None:
    file = box.put("dinkes", "simrs.yaml")
    box.run()
    assert box.office.run("request", "withdraw", "dinkes/simrs", actor="siti").code == 0
    box.run()
    box.run()
    assert box.requests() == {"dinkes/simrs": ("withdrawn", 1)}
    assert "ditarik kembali" in box.reply(file)

    def new_letter(document: dict[str, Any]) -> None:
        document["metadata"]["letter"]["number"] = "500.12.3/999/Dinkes/2026"

    box.change(file, new_letter)
    box.run()
    assert box.requests() == {"dinkes/simrs": ("pending", 2)}


def test_an_old_file_does_not_undo_what_came_another_way(box: Box) -> None:
    box.put("dinkes", "simrs.yaml")
    box.run()

    def newer(document: dict[str, Any]) -> None:
        document["spec"]["purpose"] = "SIMRS dan antrean daring"

    file = box.office.edited("simrs.yaml", newer)
    assert box.office.run("request", "submit", file, actor="siti").code == 0
    assert box.outcomes(box.run()) == {"dinkes/simrs.yaml": "known"}
    assert box.requests() == {"dinkes/simrs": ("pending", 2)}


def test_deleting_a_file_withdraws_nothing(box: Box) -> None:
    file = box.put("dinkes", "simrs.yaml")
    box.run()
    file.unlink()
    assert box.run().code == 0
    assert box.requests() == {"dinkes/simrs": ("pending", 1)}
    said = box.index("dinkes")
    assert "R-2026-0001" in said
    assert "(tidak ada di sini)" in said
    assert "tidak menarik permintaan" in said
    assert not file.with_name("simrs.balasan.txt").exists()


def test_a_file_that_turned_faulty_leaves_its_request_as_it_stands(box: Box) -> None:
    file = box.put("dinkes", "simrs.yaml")
    box.run()
    file.write_text(file.read_text().replace("8 GiB", "8"))
    assert box.run().code == 7
    said = box.reply(file)
    assert "BELUM DITERIMA" in said
    assert "Yang diterima sebelumnya tetap berlaku: dinkes/simrs, nomor R-2026-0001" in said


# -- whose it is ---------------------------------------------------------------------------------
def test_the_folder_decides_whose_a_document_is(box: Box) -> None:
    file = box.put("dinkes", "siak.yaml")
    answer = box.run()
    assert (answer.code, answer.codes) == (7, ["inbox.other-opd"])
    fault = answer.document["faults"][0]
    line = file.read_text().splitlines().index("  opd: disdukcapil") + 1
    assert (fault["file"], fault["line"], fault["path"]) == (
        "dinkes/siak.yaml", line, "metadata.opd",
    )  # fmt: skip
    assert box.requests() == {}
    assert "disdukcapil" in box.reply(file)


def test_the_deed_names_source_owner_and_whom_it_was_done_for(box: Box) -> None:
    file = box.put("dinkes", "simrs.yaml")
    os.chown(file, 12345, -1) if os.getuid() == 0 else None
    box.run()
    entries = box.office.run("audit", "log", "--opd", "dinkes").data
    taken = next(one for one in entries if one["action"] == "inbox.take")
    assert (taken["actor"]["login"], taken["actor"]["role"]) == ("system", "requester")
    assert taken["details"]["file"] == "dinkes/simrs.yaml"
    assert taken["details"]["owner"] == file.stat().st_uid
    assert taken["actor"]["behalf"] == "Siti Rahmawati"


def test_the_files_owner_does_not_decide_on_it(box: Box) -> None:
    people = box.office.directory / "people.yaml"
    before = people.read_text()
    login = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    people.write_text(
        before + f"  - {{login: {login}, name: Pemilik Berkas, roles: [{{role: approver}}]}}\n"
    )
    try:
        box.put("dinkes", "simrs.yaml")
        assert box.run().code == 0
        answer = box.office.run("request", "approve", "dinkes/simrs", actor=login)
        assert answer.codes == ["request.not-yours", "policy.own-request"]
        assert box.office.run("request", "approve", "dinkes/simrs", actor=APPROVER).code == 0
    finally:
        people.write_text(before)


@pytest.mark.parametrize("login", ["siti", "hendra", "yanti"])
def test_only_operators_and_the_timer_run_it(box: Box, login: str) -> None:
    box.put("dinkes", "simrs.yaml")
    answer = box.run(actor=login)
    assert (answer.code, answer.codes) == (4, ["desk.role"])
    assert box.requests() == {}
    assert box.run(actor="rudi").code == 0


# -- hostile and careless directories ------------------------------------------------------------
def test_links_pipes_devices_and_directories_are_no_danger(box: Box, tmp_path: Path) -> None:
    secret = tmp_path / "rahasia.yaml"
    shutil.copy(box.office.file("simrs.yaml"), secret)
    here = box.root / "dinkes"
    (here / "link.yaml").symlink_to(secret)
    (here / "gone.yaml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(here / "pipe.yaml")
    (here / "folder.yaml").mkdir()
    os.link(secret, here / "hard.yaml")
    (here / "big.yaml").write_bytes(b"#" * (256 * 1024 + 1))
    (here / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (here / "empty.yaml").write_bytes(b"")
    good = box.put("dinkes", "simrs.yaml")

    answer = box.run()
    assert answer.code == 7
    by_file = {fault["file"]: fault["code"] for fault in answer.document["faults"]}
    assert by_file.pop("dinkes/empty.yaml")
    assert by_file == {
        "dinkes/link.yaml": "document.symlink",
        "dinkes/gone.yaml": "document.symlink",
        "dinkes/pipe.yaml": "document.not-a-file",
        "dinkes/folder.yaml": "document.directory",
        "dinkes/hard.yaml": "document.second-name",
        "dinkes/big.yaml": "document.too-large",
        "dinkes/bytes.yaml": "document.byte-order-mark",
    }
    assert box.requests() == {"dinkes/simrs": ("pending", 1)}
    assert "DITERIMA" in box.reply(good)


@pytest.mark.parametrize("name", ["simrs.balasan.txt", "DAFTAR.txt", ".cloudpemda.tmp"])
@pytest.mark.parametrize("kind", ["symlink", "hard-link", "pipe"])
def test_a_reply_is_never_written_through_what_stands_in_its_place(
    box: Box, tmp_path: Path, name: str, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("BALASAN CLOUDPEMDA: milik orang lain")
    planted = box.root / "dinkes" / name
    if kind == "symlink":
        planted.symlink_to(victim)
    elif kind == "hard-link":
        os.link(victim, planted)
    else:
        os.mkfifo(planted)
    box.put("dinkes", "simrs.yaml")
    assert box.run().code == 0
    assert victim.read_text() == "BALASAN CLOUDPEMDA: milik orang lain"
    assert stat.S_IMODE(victim.stat().st_mode) != 0
    for made in ("simrs.balasan.txt", "DAFTAR.txt"):
        found = (box.root / "dinkes" / made).lstat()
        assert stat.S_ISREG(found.st_mode)
        assert found.st_nlink == 1
    assert not (box.root / "dinkes" / ".cloudpemda.tmp").exists()


def test_a_directory_in_a_replys_place_is_a_finding_and_the_request_is_taken(box: Box) -> None:
    (box.root / "dinkes" / "simrs.balasan.txt").mkdir()
    box.put("dinkes", "simrs.yaml")
    answer = box.run()
    assert (answer.code, answer.codes) == (7, ["document.not-written"])
    assert box.requests() == {"dinkes/simrs": ("pending", 1)}


def test_a_folder_that_is_a_link_or_no_opd_is_not_entered(box: Box, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(box.office.file("simrs.yaml"), elsewhere / "simrs.yaml")
    (box.root / "dinkes").rmdir()
    (box.root / "dinkes").symlink_to(elsewhere)
    (box.root / "Dinkes").mkdir()
    shutil.copy(box.office.file("simrs.yaml"), box.root / "Dinkes")
    (box.root / ".git").mkdir()
    shutil.copy(box.office.file("simrs.yaml"), box.root / ".git")
    (box.root / "docs").mkdir()
    (box.root / "docs" / "README.md").write_text("apa saja")
    shutil.copy(box.office.file("simrs.yaml"), box.root / "loose.yaml")

    answer = box.run()
    assert answer.code == 7
    assert {(fault["file"], fault["code"]) for fault in answer.document["faults"]} == {
        ("dinkes", "document.no-folder"),
        ("Dinkes", "inbox.no-opd"),
        ("loose.yaml", "inbox.no-folder"),
    }
    assert box.requests() == {}
    assert sorted(path.name for path in elsewhere.iterdir()) == ["simrs.yaml"]


@pytest.fixture
def real(box: Box) -> Iterator[Box]:
    """The same on a site where accounts count; who runs the tests is nobody there: the timer."""
    directory = box.office.directory
    before = (directory / "site.yaml").read_text()
    assert box.office.run("lab", "reset").code == 0
    (directory / "site.yaml").write_text(before.replace("identity: asserted", "identity: login"))
    for path in (directory, *directory.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o022)
    yield box
    (directory / "site.yaml").write_text(before)


def _as_oneself(box: Box) -> Answer:
    site = ("--site", str(box.office.directory), "--output", "json", "--lang", "en")
    return box.office.call(*site, "request", "inbox", str(box.root), "--settle", "0")


def test_where_accounts_count_only_ours_may_name_folders(real: Box) -> None:
    real.put("dinkes", "simrs.yaml")
    real.put("bkad", "simkeu.yaml")
    for mode in (0o775, 0o757, 0o1777):
        real.root.chmod(mode)
        answer = _as_oneself(real)
        assert (answer.code, answer.codes) == (4, ["inbox.open-root"])
    real.root.chmod(0o755)
    (real.root / "dinkes").chmod(0o777)
    (real.root / "bkad").chmod(0o2770)
    answer = _as_oneself(real)
    assert (answer.code, answer.codes) == (7, ["inbox.open-folder"])
    assert answer.document["faults"][0]["file"] == "dinkes"
    assert real.outcomes(answer) == {"bkad/simkeu.yaml": "taken"}
    assert not (real.root / "dinkes" / "DAFTAR.txt").exists()


def test_temporary_files_are_passed_over_and_strange_names_are_told(box: Box) -> None:
    for name in (".simrs.yaml.swp", ".#simrs.yaml", "#simrs.yaml#", "#simrs.yaml", "~$simrs.yaml",
                 "simrs.yaml~", ".simrs.yaml.Xy12Z"):  # fmt: skip
        box.put("dinkes", "simrs.yaml", name)
    for name in ("simrs.yaml.txt", "surat.docx", "aneh\x1b[2J.md"):
        (box.root / "dinkes" / name).write_text("x")
    answer = box.run()
    assert (answer.code, answer.data["files"]) == (0, [])
    said = box.index("dinkes")
    assert "simrs.yaml.txt" in said
    assert "surat.docx" in said
    assert "\x1b" not in said


def test_names_that_cannot_be_shown_get_no_request(box: Box) -> None:
    shutil.copy(box.office.file("simrs.yaml"), box.root / "dinkes" / "a\nb.yaml")
    source, folder = os.fsencode(box.office.file("simrs.yaml")), os.fsencode(box.root / "dinkes")
    shutil.copy(source, folder + b"/\xff\xfe.yaml")
    shutil.copy(source, folder + b"/" + b"x" * 220 + b".yaml")
    answer = box.run()
    assert (answer.code, answer.codes) == (7, ["inbox.file-name"] * 3)
    assert box.requests() == {}
    assert [path.name for path in (box.root / "dinkes").glob("*.txt")] == ["DAFTAR.txt"]


def test_two_files_for_one_request_are_both_refused(box: Box) -> None:
    one, two = box.put("dinkes", "simrs.yaml"), box.put("dinkes", "simrs.yaml", "simrs-baru.yaml")
    for _ in range(2):
        answer = box.run()
        assert (answer.code, answer.codes) == (7, ["inbox.same-request"] * 2)
    assert box.requests() == {}
    assert "simrs-baru.yaml" in box.reply(one)
    assert "simrs.yaml" in box.reply(two)


def test_one_bad_file_among_thirty_stops_no_other(box: Box) -> None:
    for number in range(30):
        file = box.put("dinkes", "simrs.yaml", f"app{number}.yaml")

        def named(document: dict[str, Any], number: int = number) -> None:
            document["metadata"]["name"] = f"app{number}"
            document["spec"]["vms"] = document["spec"]["vms"][:1]
            document["spec"]["vms"][0] |= {"count": 1, "keepApart": False}

        box.change(file, named)
    (box.root / "dinkes" / "app13.yaml").write_text("metadata: [tidak, ditutup")
    answer = box.run()
    assert answer.code == 7
    outcomes = box.outcomes(answer)
    assert outcomes.pop("dinkes/app13.yaml") == "invalid"
    assert set(outcomes.values()) == {"taken"}
    assert len(box.requests()) == 29


def _named(name: str, document: dict[str, Any]) -> None:
    document["metadata"]["name"] = name


def test_what_a_rule_refuses_stops_no_other_of_its_deed(box: Box) -> None:
    good = [box.put("bkad", "simkeu.yaml", f"{name}.yaml") for name in "abcd"]
    for file in good:
        box.change(file, partial(_named, file.stem))
    box.put("bkad", "too-big.yaml", "bb.yaml")
    answer = box.run()
    assert answer.code == 7
    outcomes = box.outcomes(answer)
    assert outcomes.pop("bkad/bb.yaml") == "refused"
    assert outcomes == {f"bkad/{file.name}": "taken" for file in good}
    assert set(box.requests()) == {f"bkad/{file.stem}" for file in good}
    assert box.office.run("audit", "verify").code == 0


def test_text_in_a_document_does_nothing_in_a_reply(box: Box) -> None:
    file = box.put("dinkes", "simrs.yaml")

    def hostile(document: dict[str, Any]) -> None:
        document["metadata"]["name"] = "{{ 7*7 }}"
        document["metadata"]["opd"] = "{% for x in range(9) %}{{ config }}"

    box.change(file, hostile)
    assert box.run().code == 7
    assert "49" not in box.reply(file)


# -- too much ------------------------------------------------------------------------------------
def _padded(box: Box, opd: str, name: str) -> Path:
    """An example of its own name, and a comment that fills it up to what a document may have."""
    file = box.put(opd, "simrs.yaml", f"{name}.yaml")
    text = file.read_text().replace("name: simrs", f"name: {name}", 1)
    file.write_text(text + "#" * (LARGEST - len(text.encode())))
    return file


def test_an_opd_that_fills_the_ledger_waits_for_tomorrow(box: Box) -> None:
    files = [_padded(box, "dinkes", f"app{number:02}") for number in range(66)]
    other = box.put("bkad", "simkeu.yaml")
    answer = box.run()
    assert answer.code == 7
    assert answer.codes == ["inbox.day-full", "inbox.day-full"]
    assert "diterima besok" in box.reply(files[-1])
    assert box.outcomes(answer)["bkad/simkeu.yaml"] == "taken"
    assert "R-2026-" in box.reply(other)
    assert box.run().codes == ["inbox.day-full", "inbox.day-full"]
    assert box.office.run("lab", "advance", "1d").code == 0
    assert box.run().code == 0
    assert len(box.requests()) == 67


def test_of_a_folder_that_is_too_full_the_rest_is_not_read(box: Box) -> None:
    for number in range(128):
        (box.root / "dinkes" / f"a{number:03}.yaml").write_bytes(b"#" * LARGEST)
    beyond = box.put("dinkes", "simrs.yaml")
    other = box.put("bkad", "simkeu.yaml")
    answer = box.run()
    assert answer.codes.count("document.empty-file") == 128
    assert answer.codes[-1] == "inbox.folder-full"
    assert "32 MiB" in box.reply(beyond)
    assert "R-2026-" in box.reply(other)


# -- half-written files --------------------------------------------------------------------------
@dataclass(frozen=True)
class Meanwhile:
    """The site's clock, in whose waiting somebody else does something."""

    clock: Clock
    deed: Callable[[], object]

    def now(self) -> Instant:
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        self.deed()
        self.clock.sleep(seconds)


def _meanwhile(box: Box, deed: Callable[[], object]) -> dict[str, str]:
    """A run in whose settling time `deed` happens; the outcomes."""
    with open_desk(box.office.directory, asserted="timer") as desk:
        run = take_inbox(replace(desk, clock=Meanwhile(desk.clock, deed)), box.root, settle=5)
    return {one.file: one.outcome.value for one in run.files}


def _append(file: Path) -> None:
    with file.open("a") as growing:
        growing.write("# lanjutan\n")


@pytest.mark.parametrize(
    "deed",
    [
        _append,
        lambda file: file.write_bytes(file.read_bytes()),
        lambda file: os.utime(file, (1, 1)),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), file.symlink_to("/etc/hostname")),
    ],
    ids=["grows", "written-again", "backdated", "goes", "becomes-a-link"],
)
def test_a_file_that_moves_is_left_for_the_next_run(
    box: Box, deed: Callable[[Path], object]
) -> None:
    file = box.put("dinkes", "simrs.yaml")
    box.put("bkad", "simkeu.yaml")
    outcomes = _meanwhile(box, lambda: deed(file))
    assert outcomes == {"dinkes/simrs.yaml": "waiting", "bkad/simkeu.yaml": "taken"}
    assert not file.with_name("simrs.balasan.txt").exists()
    assert box.requests() == {"bkad/simkeu": ("pending", 1)}

    file.unlink(missing_ok=True)
    box.put("dinkes", "simrs.yaml")
    assert box.outcomes(box.run(settle=5))["dinkes/simrs.yaml"] == "taken"


def test_without_news_nobody_waits(box: Box) -> None:
    box.put("dinkes", "simrs.yaml")
    box.run()

    def never() -> None:
        raise AssertionError("waited")

    assert _meanwhile(box, never) == {"dinkes/simrs.yaml": "known"}


def test_what_keeps_us_from_every_deed_is_no_answer_to_an_opd(box: Box) -> None:
    box.run()
    file, key = box.put("dinkes", "simrs.yaml"), box.office.directory / "var/audit.key"
    key.rename(key.with_name("elsewhere"))
    answer = box.run()
    assert (answer.code, answer.codes) == (4, ["audit.key-missing"])
    assert not file.with_name("simrs.balasan.txt").exists()
    key.with_name("elsewhere").rename(key)
    assert box.run().code == 0
    assert "DITERIMA" in box.reply(file)


def test_an_inbox_that_is_not_there_is_said(box: Box, tmp_path: Path) -> None:
    answer = box.office.run("request", "inbox", str(tmp_path / "nowhere"), actor="timer")
    assert (answer.code, answer.codes) == (3, ["document.no-folder"])
    assert box.office.run("request", "inbox").code == 2


def test_the_timers_units_are_written(box: Box, tmp_path: Path) -> None:
    answer = box.office.run("request", "inbox", "--units", str(tmp_path))
    assert answer.code == 0
    service = (tmp_path / "cloudpemda-inbox@.service").read_text()
    assert "request inbox /srv/cloudpemda/%i\n" in service
    assert "ReadWritePaths=/etc/cloudpemda/%i/var /srv/cloudpemda/%i\n" in service
    assert "OnCalendar=" in (tmp_path / "cloudpemda-inbox@.timer").read_text()
    assert "cloudpemda-inbox@SITE.timer" in box.office.text(
        "request", "inbox", "--units", str(tmp_path)
    ).out  # fmt: skip


def test_the_page_counts_and_names_what_was_taken(box: Box) -> None:
    box.put("dinkes", "simrs.yaml")
    words = ("request", "inbox", str(box.root), "--settle", "0")
    answer = box.office.text(*words, actor="rudi", lang="id")
    assert "dinkes/simrs.yaml: dinkes/simrs diterima sebagai R-2026-0001" in answer.out
    assert "1 berkas: 1 diterima" in answer.out
