"""Places that are taken several at a time: never more than the server lets in, none kept for long, none for a child."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.bucket import FOREVER, SLACK, UNKNOWN
from runner.lease import LONGEST, MOST, Leases
from runner.ledger import Lasting, Memory

STEP, BURST = 0.5, 40.0
KEY = b"bucket"
CLOSE = 1e-6


class Counted(Memory):
    """A ledger that processes share, and how often they came."""

    turns = 0

    def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
        self.turns += 1
        return super().turn(key, operation, now, *numbers, unless=unless)


def take(kept: Lasting, now: float = 1000.0, unless: bytes = b"") -> float:
    return kept.turn(KEY, "take", now, STEP, BURST, SLACK, FOREVER, unless=unless)


def free(kept: Lasting, now: float = 1000.0) -> float:
    return kept.turn(KEY, "free", now, STEP, BURST, SLACK)


def several(processes: int) -> tuple[Counted, list[Lasting]]:
    """A ledger, and how so many processes use it."""
    shared = Counted()
    return shared, [Lasting(shared, "the ledger") for _ in range(processes)]


def test_who_calls_fast_takes_a_turn_for_more_and_more_calls() -> None:
    shared, (kept,) = several(1)
    turns = []
    for _ in range(22):
        assert take(kept) == 0.0
        turns.append(shared.turns)
    assert turns == [1, 2, 2, 3, 3, 3, 3, *[4] * 8, 5, 6, 6, 7, 8, 9, 10]  # no more at once than half of it holds
    assert MOST == 8


def test_who_calls_slower_than_that_takes_one_place_a_turn() -> None:
    shared, (kept,) = several(1)
    for number in range(30):
        take(kept, 1000 + number * STEP / 4)
    assert shared.turns == 30


def test_what_is_left_counts_as_free_for_whom_it_was_taken_and_for_nobody_else() -> None:
    _, (mine, others) = several(2)
    for number in range(1, 9):
        take(mine)
        assert free(mine) == BURST - number
    assert free(others) == BURST - 15


def test_places_that_are_not_used_leak_away() -> None:
    _, (kept,) = several(1)
    for _ in range(4):
        take(kept)
    left = [kept._leases.left(KEY, 1000 + seconds) for seconds in (0, STEP - CLOSE, STEP, LONGEST)]
    assert left == [3, 3, 2, 0]


def test_a_place_that_has_leaked_is_not_used() -> None:
    shared, (kept,) = several(1)
    for _ in range(4):
        take(kept)
    turns = shared.turns
    take(kept, 1000 + STEP)
    take(kept, 1000 + STEP)
    assert shared.turns == turns
    take(kept, 1000 + STEP)
    assert shared.turns == turns + 1


def test_a_bucket_that_turns_out_to_be_full_takes_back_what_is_left() -> None:
    _, (kept,) = several(1)
    for _ in range(4):
        take(kept)
    kept.turn(KEY, "fill", 1000.0, STEP, BURST, SLACK, FOREVER)
    assert free(kept) == 0.0
    assert take(kept) == pytest.approx(STEP + SLACK)


def test_what_was_taken_without_a_look_at_a_window_is_not_used_once_it_is_known() -> None:
    _, (kept,) = several(1)
    for _ in range(4):
        take(kept, unless=b"window")
    kept.turn(b"other", "block", 1000.0, 1030.0, 480.0, 600.0)
    assert take(kept, unless=b"window") == 0.0
    kept.turn(b"window", "block", 1000.0, 1030.0, 480.0, 600.0)
    assert take(kept, unless=b"window") == UNKNOWN
    left = kept._leases.left(KEY, 1000.0)
    assert take(kept) == 0.0
    assert kept._leases.left(KEY, 1000.0) == left - 1 == 1


def test_a_call_that_asks_for_another_window_looks_there() -> None:
    shared, (kept,) = several(1)
    shared.turn(b"another", "block", 1000.0, 1030.0, 480.0, 600.0)
    for _ in range(4):
        take(kept, unless=b"window")
    assert take(kept, unless=b"another") == UNKNOWN
    assert take(kept, unless=b"window") == 0.0


def test_calls_of_several_methods_share_what_was_taken_each_after_a_look_at_its_own_window() -> None:
    shared, (kept,) = several(1)
    for number in range(1, 25):
        take(kept, unless=f"window {number % 3}".encode())
        assert free(kept) == BURST - number
    assert shared.turns - 24 == 12  # those of `free` apart


def test_a_look_at_another_window_takes_one_place_and_leaves_the_others() -> None:
    shared, (kept,) = several(1)
    for _ in range(4):
        take(kept, unless=b"window")
    there = [free(kept), shared.turn(KEY, "free", 1000.0, STEP, BURST, SLACK)]
    assert take(kept, unless=b"another") == 0.0
    assert [free(kept), shared.turn(KEY, "free", 1000.0, STEP, BURST, SLACK)] == [one - 1 for one in there]
    for _ in range(3):
        take(kept, unless=b"window")
    turns = shared.turns
    for _ in range(8):
        take(kept, unless=b"another")
    assert shared.turns == turns + 1


def test_a_look_at_a_window_is_good_for_a_second() -> None:
    shared, (kept,) = several(1)
    take(kept, unless=b"window")
    shared.turn(b"window", "block", 1000.0, 1030.0, 480.0, 600.0)
    for number in range(7):
        take(kept, 1000.0 + LONGEST - 0.1 + number / 100, unless=b"another")
    take(kept, 1000.0 + LONGEST - 0.02, unless=b"another")
    assert kept._leases.left(KEY, 1000.0 + LONGEST + CLOSE) > 1
    assert take(kept, 1000.0 + LONGEST, unless=b"window") == 0.0
    assert take(kept, 1000.0 + LONGEST + CLOSE, unless=b"window") == UNKNOWN


def test_threads_that_take_places_at_the_same_time_lose_none() -> None:
    kept: Lasting

    class Crossed(Memory):
        """A ledger in whose turn another thread takes a place."""

        others = 0

        def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
            answer = super().turn(key, operation, now, *numbers, unless=unless)
            if operation == "take" and self.others:
                self.others -= 1
                take(kept)
            return answer

    crossed = Crossed()
    kept = Lasting(crossed, "the ledger")
    take(kept)
    crossed.others = 2
    take(kept)
    assert free(kept) == BURST - 4
    for number in range(5, 11):
        crossed.others = number % 2
        taken = BURST - free(kept)
        take(kept)
        assert BURST - free(kept) - taken in {1, 2}
    assert free(kept) == crossed.turn(KEY, "free", 1000.0, STEP, BURST, SLACK) + kept._leases.left(KEY, 1000.0)


def test_a_child_has_no_places_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    leases = Leases()
    leases.keep(KEY, 1000.0, STEP, 8, b"")
    assert leases.left(KEY, 1000.0) == 7
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert leases.left(KEY, 1000.0) == 0
    assert not leases.use(KEY, 1000.0, b"")
    assert leases.wanted(KEY, 1000.0, STEP) == 1


def test_a_clock_that_is_set_back_asks_for_no_more_than_the_most() -> None:
    _, (kept,) = several(1)
    for number in range(20):
        assert take(kept, 1000.0 - number * 3600) == 0.0
    assert kept._leases.left(KEY, 0.0) < MOST


GAP = st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 1.2), st.floats(0, 16))  # in steps of the bucket
CALLS = st.lists(st.tuples(GAP, st.integers(0, 3)), min_size=1, max_size=250)
BUCKETS = st.tuples(st.sampled_from([STEP, 0.02]), st.sampled_from([BURST, 10.0]), st.sampled_from([SLACK, 0.0]))
Bucket = tuple[float, float, float]


def departures(calls: list[tuple[float, int]], bucket: Bucket, *, alone: bool = False) -> list[float]:
    """When calls of four processes depart, each so many steps after the one before it asked for its place.

    Alone, each takes its place by a turn of its own.
    """
    shared, kept = several(4)
    found, now = [], 1000.0
    for gap, process in calls:
        now += gap * bucket[0]
        found.append(now + (shared if alone else kept[process]).turn(KEY, "take", now, *bucket, FOREVER))
    return found


def within(arrivals: list[float], bucket: Bucket) -> None:
    """A server that counts what arrives refuses nothing."""
    step, burst, _ = bucket
    level, before = 0.0, 0.0
    for arrival in sorted(arrivals):
        level = max(0.0, level - (arrival - before) / step) + 1
        before = arrival
        assert level <= burst + CLOSE


@given(CALLS, BUCKETS, st.data())
def test_a_server_never_refuses_whoever_has_taken_places_in_advance(
    calls: list[tuple[float, int]], bucket: Bucket, data: st.DataObject
) -> None:
    found, slack = departures(calls, bucket), bucket[2]
    late = data.draw(st.lists(st.floats(0, slack), min_size=len(found), max_size=len(found)))
    within([one + way for one, way in zip(found, late, strict=True)], bucket)


@given(st.integers(0, 200), st.integers(1, 16), BUCKETS)
def test_what_was_not_used_for_a_while_does_not_come_on_top_of_a_full_bucket(
    tenths: int, calls: int, bucket: Bucket
) -> None:
    rush = [(0.0, process) for _ in range(int(bucket[1])) for process in (0, 1)]
    found = departures([*[(0.0, 0)] * calls, (tenths / 10, 1), *rush], bucket)
    within(found, bucket)


@given(CALLS, BUCKETS)
def test_who_takes_places_in_advance_waits_no_longer_than_half_a_bucket_more(
    calls: list[tuple[float, int]], bucket: Bucket
) -> None:
    step, burst, slack = bucket
    both = zip(departures(calls, bucket), departures(calls, bucket, alone=True), strict=True)
    assert all(departure <= least + burst / 2 * step + slack + CLOSE for departure, least in both)
