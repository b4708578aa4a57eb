"""Whether the night's work fits, and what would."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudpemda.recovery.window import (
    DAY,
    Duty,
    Lane,
    Window,
    bounded_below,
    divided,
    durations,
    loads,
    runs_within,
)

HOUR, MINUTE = 3600, 60
SIX_HOURS = Window(20 * HOUR, 6 * HOUR)


def _duties(count: int, seconds: int, start: int = 0) -> list[Duty]:
    return [Duty(f"vm-{n}", "pve1", Lane.BACKUP, seconds, start) for n in range(count)]


def test_thirty_jobs_of_25_minutes_on_one_node_do_not_fit_six_hours() -> None:
    (load,) = loads(_duties(30, 25 * MINUTE), SIX_HOURS)
    assert not load.fits
    assert load.ends == load.seconds == 12 * HOUR + 30 * MINUTE
    assert load.spread is not None
    assert (load.spread.nodes, load.spread.hours) == ((10, 10, 10), 12.5)
    assert load.spread.start is None
    (fits,) = loads(_duties(14, 25 * MINUTE), SIX_HOURS)
    assert fits.fits
    assert fits.spread is None


def test_what_begins_too_late_is_given_the_start_with_which_it_would_fit() -> None:
    (load,) = loads(_duties(4, HOUR, start=4 * HOUR), SIX_HOURS)
    assert load.ends == 8 * HOUR
    assert load.spread is not None
    assert (load.spread.start, load.spread.nodes) == ("22:00", (4,))


def test_the_queues_of_a_node_and_the_nodes_are_judged_apart() -> None:
    other = Duty("10001-0", "pve1", Lane.REPLICATION, 7 * HOUR)
    away = Duty("vm-9", "pve2", Lane.BACKUP, HOUR)
    found = loads([*_duties(2, HOUR), other, away], SIX_HOURS)
    assert [(one.node, one.lane, one.fits) for one in found] == [
        ("pve1", Lane.BACKUP, True),
        ("pve1", Lane.REPLICATION, False),
        ("pve2", Lane.BACKUP, True),
    ]
    assert found[1].spread is not None
    assert found[1].spread.nodes is None  # alone it is longer than the window


def test_what_nobody_knows_does_not_fit() -> None:
    (load,) = loads([*_duties(1, HOUR), Duty("new", "pve1", Lane.BACKUP, None)], SIX_HOURS)
    assert (load.fits, load.unknown, load.spread) == (False, ("new",), None)


def test_a_window_passes_midnight() -> None:
    assert SIX_HOURS.offset(1 * HOUR) == 5 * HOUR
    assert SIX_HOURS.offset(2 * HOUR) is None
    assert SIX_HOURS.offset(19 * HOUR) is None
    assert SIX_HOURS.clock(5 * HOUR + 59) == "01:00"


def test_a_run_is_no_shorter_than_its_bytes_need() -> None:
    assert bounded_below(10, 1000, 10) == 100
    assert bounded_below(200.2, 1000, 10) == 201
    assert bounded_below(None, 1000, None) is None
    assert bounded_below(None, 1000, 10) == 100
    assert [runs_within(every, 6 * HOUR) for every in (900, DAY)] == [24, 1]


def test_a_backup_took_until_the_next_of_its_task_began() -> None:
    tasks = [(100, 400), (500, 600), (1000, 1600)]
    begun = {"a": [100, 1000], "b": [250, 1400], "c": [300], "d": [700]}
    assert durations(tasks, begun) == {"a": 400, "b": 200, "c": 100}


def first_fit(seconds: list[int], length: int) -> int:
    parts: list[int] = []
    for one in sorted(seconds, reverse=True):
        room = next((at for at, part in enumerate(parts) if part + one <= length), None)
        if room is None:
            parts.append(one)
        else:
            parts[room] += one
    return len(parts)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60), st.integers(1, 400))
@example([3] * 20, 5)  # no two of them fit together
@settings(max_examples=50)
def test_a_division_has_every_duty_once_and_each_part_fits(seconds: list[int], length: int) -> None:
    parts = divided(seconds, length)
    if parts is None:
        assert max(seconds) > length
        return
    assert sorted(one for part in parts for one in part) == sorted(seconds)
    assert all(0 < sum(part) <= length for part in parts)
    # No division could do with less than the sum asks: this one needs at most a half more, or else
    # no more than the best one does, which has no more than who takes the first part with room.
    assert len(parts) <= max(1, -(-sum(seconds) * 3 // (length * 2)), first_fit(seconds, length))


@given(
    st.lists(st.tuples(st.integers(0, 6 * HOUR), st.integers(1, 3 * HOUR)), max_size=12),
    st.integers(60, DAY),
)
@settings(max_examples=50)
def test_what_fits_ends_in_the_window_and_what_does_not_is_helped(
    work: list[tuple[int, int]], length: int
) -> None:
    window = Window(0, length)
    duties = [
        Duty(str(n), "pve1", Lane.BACKUP, took, start) for n, (start, took) in enumerate(work)
    ]
    for load in loads(duties, window):
        assert load.ends >= max(start + took for start, took in work)
        assert load.seconds <= load.ends
        assert load.fits is (load.spread is None)
        if load.spread is not None and load.spread.start is not None:
            (again,) = loads(
                [Duty(one.name, one.node, one.lane, one.seconds) for one in duties], window
            )
            assert again.fits
