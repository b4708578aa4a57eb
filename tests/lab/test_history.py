"""The log of what happened: kept in a file, asked for from any line on."""

from pathlib import Path

from cloudpemda.lab.history import History


def test_the_log_goes_on_from_any_line_whatever_is_kept_already(tmp_path: Path) -> None:
    history = History(tmp_path / "events.jsonl")
    history.go_on(0)
    whole: list[str] = []
    for number in range(7):
        history.add(float(number), "noted", {"word": "ü" * number})
        whole = history.lines()
        assert len(whole) == number + 1
        if number in (1, 2, 5):
            history.keep()
            assert history.lines() == whole
    assert [history.lines(since) for since in range(9)] == [whole[since:] for since in range(9)]

    kept = history.keep()
    again = History(tmp_path / "events.jsonl")
    again.go_on(kept)
    again.add(9.0, "noted", {})
    assert again.lines(6) == [whole[6], '{"at":9.0,"what":"noted"}']
    again.keep()
    assert again.lines(7) == ['{"at":9.0,"what":"noted"}']
