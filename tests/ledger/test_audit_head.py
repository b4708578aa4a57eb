"""The head file itself: its two slots, what a power cut leaves of them, and their room."""

import shutil
from pathlib import Path

import pytest

from cloudpemda.ledger import Document
from tests.ledger.forger import HEAD, HEADS, found, head_of
from tests.ledger.makers import SITI, open_at, workload


def submit(base: Path, name: str) -> None:
    with open_at(base) as ledger:
        ledger.requests.submit(workload(name=name), "", SITI)


@pytest.mark.parametrize("reached", [0, 1, 63, 64, 65, 100, 250])
def test_a_head_that_reached_the_disk_in_part_leaves_the_one_before(
    tmp_path: Path, reached: int
) -> None:
    for name in ("a", "b", "c"):
        submit(tmp_path, name)
    file = tmp_path / HEAD
    before, known = file.read_bytes(), head_of(tmp_path)
    submit(tmp_path, "d")
    after = file.read_bytes()
    begins = next(place for place, (old, new) in enumerate(zip(before, after, strict=True))
                  if old != new)  # fmt: skip
    begins -= begins % (len(after) // 2)
    file.write_bytes(after[: begins + reached] + before[begins + reached :])
    shutil.rmtree(tmp_path / HEADS)
    with open_at(tmp_path) as ledger:
        head = ledger.audit.head()
        assert head is not None
        assert (head.seq, head.hash) == (known["seq"], known["hash"])
    assert found(tmp_path) == []
    submit(tmp_path, "e")
    assert head_of(tmp_path)["seq"] == known["seq"] + 2
    assert found(tmp_path) == []


def test_the_head_is_moved_on_in_its_file_which_grows_with_the_opds(tmp_path: Path) -> None:
    submit(tmp_path, "a")
    file = (tmp_path / HEAD).stat()
    submit(tmp_path, "b")
    assert (tmp_path / HEAD).stat().st_ino == file.st_ino
    with open_at(tmp_path) as ledger:
        many = [Document(workload(f"opd{number}"), "") for number in range(80)]
        ledger.requests.submit_all(many, SITI)
    assert (tmp_path / HEAD).stat().st_size > file.st_size
    submit(tmp_path, "c")
    assert len(head_of(tmp_path)["opds"]) == 81
    assert found(tmp_path) == []


def test_a_kept_head_can_be_put_in_the_place_of_a_lost_one(tmp_path: Path) -> None:
    submit(tmp_path, "a")
    (kept,) = (tmp_path / HEADS).iterdir()
    shutil.copy(kept, tmp_path / HEAD)
    assert found(tmp_path) == []
    submit(tmp_path, "b")
    assert head_of(tmp_path)["seq"] == 2
    assert found(tmp_path) == []
