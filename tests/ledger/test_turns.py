"""Turns at a lock file: one at a time, and never lost to a word that nobody keeps."""

import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudpemda.clock import stopwatch
from cloudpemda.ledger.turns import Turns

NOBODY = 2**62  # no process has this number


def test_turns_that_come_back_at_once_are_one_at_a_time(tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    tally.write_text("0")

    def count(_: int) -> int:
        own = Turns(tmp_path / "queue")
        came = 0
        for _ in range(25):
            with own.turn(30) as mine:
                came += mine
                tally.write_text(str(int(tally.read_text()) + 1))
        return came

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(count, range(4))) == [25] * 4
    assert tally.read_text() == "100"


@pytest.mark.parametrize(
    "left",
    [
        lambda: struct.pack("<qd", NOBODY, stopwatch() + 0.01),  # it died while it claimed it
        lambda: struct.pack("<qd", NOBODY, stopwatch() + 1e6),  # before the machine was restarted
        lambda: struct.pack("<qd", NOBODY, float("nan")),
        lambda: b"half",
    ],
)
def test_a_word_that_nobody_keeps_is_over_in_a_moment(tmp_path: Path, left: object) -> None:
    assert callable(left)
    file = tmp_path / "queue"
    file.write_bytes(left())
    with Turns(file).turn(30) as came:
        assert came


def test_a_turn_that_another_has_does_not_come(tmp_path: Path) -> None:
    first, second = Turns(tmp_path / "queue"), Turns(tmp_path / "queue")
    with first.turn(30), second.turn(0) as came:
        assert not came
    with second.turn(0) as came:
        assert came
