"""The arithmetic of limits: no clock, no store, no sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import bucket
from runner.bucket import FOREVER, UNKNOWN

if TYPE_CHECKING:
    from runner.bucket import State

STEP, BURST, SLACK = 0.5, 5.0, 0.25
WINDOW, CAP = 600.0, 480.0
CLOSE = 1e-6


def take(state: State | None, now: float, most: float = FOREVER) -> tuple[State | None, float]:
    return bucket.take(state, now, STEP, BURST, SLACK, most)


def taken(count: int, now: float = 1000.0) -> State | None:
    """A bucket from which so many places were taken at once."""
    state: State | None = None
    for _ in range(count):
        state, _ = take(state, now)
    return state


def departures(gaps: list[float], start: float = 1000.0) -> list[float]:
    """When calls depart that ask for their places with these gaps between them."""
    found, state, now = [], None, start
    for gap in gaps:
        now += gap
        state, pause = take(state, now)
        found.append(now + pause)
    return found


def test_a_burst_goes_at_once_and_the_next_wait_for_what_leaks_and_once_for_the_slack() -> None:
    found = departures([0.0] * 8)
    assert found == pytest.approx([1000.0] * 5 + [1000.75, 1001.25, 1001.75])


def test_one_after_another_at_the_edge_each_goes_when_its_drop_has_leaked() -> None:
    state, now = taken(5), 1000.0
    for number in range(1, 200):
        state, pause = take(state, now)
        now += pause
        assert now == pytest.approx(1000 + number * STEP + SLACK)


def test_an_empty_bucket_is_as_good_as_new() -> None:
    full = taken(9)
    assert bucket.free(full, 1000 + SLACK + 9 * STEP - 0.01, STEP, BURST, SLACK)[1] == 4.0
    assert bucket.free(full, 1000 + SLACK + 9 * STEP, STEP, BURST, SLACK)[1] == 5.0
    assert bucket.free(None, 0.0, STEP, BURST, SLACK)[1] == 5.0


def test_a_wait_that_is_too_long_takes_no_place() -> None:
    full = taken(9)
    state, pause = take(full, 1000.0, most=1.0)
    assert pause == pytest.approx(2.75)
    assert state == full
    assert take(state, 1000.0)[1] == pytest.approx(2.75)


@pytest.mark.parametrize("jump", [-86400.0, -6.0])
def test_a_clock_that_is_set_back_neither_blocks_nor_empties(jump: float) -> None:
    assert take(taken(7), 1000.0 + jump)[1] == pytest.approx(take(taken(7), 1000.0)[1])


def test_those_who_overtake_each_other_are_not_taken_for_a_clock_that_was_set() -> None:
    state, _ = take(taken(7), 1000.5)
    state, pause = take(state, 1000.4)
    assert 1000.4 + pause == pytest.approx(departures([0.0] * 9)[-1])


GAPS = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 6)), min_size=1, max_size=120)


@given(GAPS)
def test_no_window_holds_more_than_the_burst_and_what_leaks_in_it(gaps: list[float]) -> None:
    found = sorted(departures(gaps))
    for first, start in enumerate(found):
        for last in range(first, len(found)):
            assert last - first + 1 <= BURST + (found[last] - start) / STEP + CLOSE


@given(GAPS, st.data())
def test_a_server_never_refuses_however_long_the_way_of_each_call_takes(gaps: list[float], data: st.DataObject) -> None:
    found = departures(gaps)
    late = data.draw(st.lists(st.floats(0, SLACK), min_size=len(found), max_size=len(found)))
    level, before = 0.0, 0.0
    for arrival in sorted(one + way for one, way in zip(found, late, strict=True)):
        level = max(0.0, level - (arrival - before) / STEP) + 1
        before = arrival
        assert level <= BURST + CLOSE


@given(GAPS)
def test_nobody_waits_longer_than_the_bucket_and_the_slack_ask(gaps: list[float]) -> None:
    """Beside a bucket without slack, which the same calls ask at the same times."""
    level, asked, before = 0.0, 1000.0, 1000.0
    for gap, departure in zip(gaps, departures(gaps), strict=True):
        asked += gap
        level = max(0.0, level - (asked - before) / STEP) + 1
        before = asked
        least = asked + max(0.0, (level - BURST) * STEP)
        assert departure <= least + SLACK + CLOSE


@given(GAPS, st.floats(0, 10))
def test_as_many_go_at_once_as_are_said_to_be_free(gaps: list[float], later: float) -> None:
    state, now = None, 1000.0
    for gap in gaps:
        now += gap
        state, _ = take(state, now)
    now += later
    free = int(bucket.free(state, now, STEP, BURST, SLACK)[1])
    pauses = []
    for _ in range(free + 1):
        state, pause = take(state, now)
        pauses.append(pause)
    assert pauses[:free] == pytest.approx([0.0] * free, abs=CLOSE)
    assert pauses[free] > 0


def test_a_refusal_fills_the_bucket() -> None:
    state, answer = bucket.fill(taken(1), 1000.0, STEP, BURST, SLACK, FOREVER)
    assert answer == 0.0
    assert bucket.free(state, 1000.0, STEP, BURST, SLACK)[1] == 0.0
    assert take(state, 1000.0)[1] == pytest.approx(STEP + SLACK)


def test_many_refusals_at_once_fill_it_once_and_keep_the_places_that_are_taken() -> None:
    state = taken(9)
    for _ in range(10):
        state, _ = bucket.fill(state, 1000.0, STEP, BURST, SLACK, FOREVER)
    assert take(state, 1000.0)[1] == pytest.approx(5 * STEP + SLACK)


@pytest.mark.parametrize(("told", "pause"), [(0.0, 0.0), (0.1, 0.1), (9.0, STEP + SLACK)])
def test_a_server_that_says_when_it_leaks_knows_better(told: float, pause: float) -> None:
    state, _ = bucket.fill(None, 1000.0, STEP, BURST, SLACK, told)
    assert take(state, 1000.0)[1] == pytest.approx(pause)


def test_a_bucket_whose_first_drop_fell_later_leaks_later() -> None:
    assert bucket.opened(None, 1000.0)[1] == bucket.opened(taken(2), 1000.0)[1] == UNKNOWN
    first = taken(1)
    assert bucket.opened(first, 1000.0)[1] == 1000.0
    assert bucket.delay(None, 1000.4, 1000.0, 0.4)[0] is None
    assert bucket.delay(first, 1000.4, 999.0, 0.4)[0] == first
    state, _ = bucket.delay(taken(6), 1000.4, 1000.0, 0.4)
    assert 1000.4 + take(state, 1000.4)[1] == pytest.approx(1000 + 0.4 + SLACK + 2 * STEP)


def spend(
    state: State | None, used: float, now: float = 1000.0, until: float = 1300.0, before: float = UNKNOWN
) -> State | None:
    return bucket.spend(state, now, used, before, until, CAP, WINDOW)[0]


def hold(state: State | None, now: float, calls: float = 1, most: float = FOREVER) -> tuple[State | None, float]:
    return bucket.hold(state, now, calls, WINDOW, most)


def test_below_four_fifths_of_a_window_nobody_is_slowed_down() -> None:
    state = spend(spend(None, 380.0), 383.9)
    assert hold(state, 1000.0)[1] == bucket.pace(state, 1000.0, WINDOW)[1] == 0.0


def test_above_it_what_is_left_is_spread_over_the_time_that_is_left() -> None:
    state = spend(spend(None, 394.0), 400.0)
    assert bucket.pace(state, 1000.0, WINDOW)[1] == pytest.approx(300 * 6 / 80)
    state, first = hold(state, 1000.0)
    state, second = hold(state, 1000.0)
    assert (first, second) == pytest.approx((0.0, 22.5))
    assert bucket.due(state, 1000.0, WINDOW)[1] == pytest.approx(45.0)
    late, third = hold(state, 1000.0, most=44.0)
    assert late == state
    assert third == pytest.approx(45.0)


def test_a_batch_takes_a_turn_for_each_of_its_calls() -> None:
    state, _ = hold(spend(None, 400.0, before=399.0), 1000.0, calls=10)
    assert hold(state, 1000.0)[1] == pytest.approx(10 * 300 / 80)


def test_what_one_call_costs_follows_what_calls_cost() -> None:
    state = spend(spend(spend(None, 400.0), 401.0), 404.0)
    assert bucket.pace(state, 1000.0, WINDOW)[1] == pytest.approx(300 * 2 / 76)


def test_a_window_that_is_used_up_is_closed_until_some_of_it_is_free_and_opens_slowly() -> None:
    state = spend(spend(None, 479.0), 480.5)
    state, first = hold(state, 1000.0)
    state, second = hold(state, 1000.0)
    assert (first, second) == (300.0, 301.5)
    state = spend(state, 470.0, now=1301.0, until=1360.0)
    assert bucket.pace(state, 1301.0, WINDOW)[1] == pytest.approx(59 * 1.5 / 10)
    state = spend(state, 100.0, now=1302.0, until=1420.0)
    assert hold(state, 1302.0)[1] == 0.0


def test_an_answer_that_was_overtaken_says_nothing_new() -> None:
    state = spend(spend(None, 400.0), 410.0)
    assert spend(state, 405.0) == state
    assert spend(state, 30.0, until=1299.0) == state


@pytest.mark.parametrize("now", [1000.0 + WINDOW + 1, 990.0])
def test_what_is_known_of_another_time_is_worth_nothing(now: float) -> None:
    state = spend(None, 500.0)
    assert hold(state, 1000.0)[1] > 0
    assert hold(state, now)[1] == bucket.due(state, now, WINDOW)[1] == bucket.pace(state, now, WINDOW)[1] == 0.0


@pytest.mark.parametrize(
    ("kept", "until", "pause"),
    [(None, 1100.0, 100.0), (None, UNKNOWN, 60.0), (400.0, UNKNOWN, 300.0), (400.0, 1400.0, 400.0)],
)
def test_a_refusal_for_the_cost_closes_the_window(kept: float | None, until: float, pause: float) -> None:
    state = spend(None, kept) if kept else None
    state, _ = bucket.block(state, 1000.0, until, CAP, WINDOW)
    assert bucket.due(state, 1000.0, WINDOW)[1] == pause
    state, _ = hold(state, 1000.0)
    assert hold(state, 1000.0)[1] == pause + 1.0


def test_no_answer_of_before_opens_a_window_that_a_refusal_closed() -> None:
    state, _ = bucket.block(spend(None, 470.0), 1000.0, 1300.0, CAP, WINDOW)
    assert spend(state, 471.0) == state


@given(st.floats(0.01, 20), st.integers(1, 8), st.floats(10, 600))
def test_a_window_is_never_overdrawn_by_calls_that_cost_alike(cost: float, together: int, reset: float) -> None:
    """Calls go `together` at a time, and all are answered before the next ones ask."""
    state: State | None = None
    used, now, end = 0.7 * CAP, 1000.0, 1000.0 + reset
    before = used
    for _ in range(400):
        state, pause = hold(state, now)
        now += pause
        if now >= end:
            break
        for _ in range(together if used + cost * together < bucket.SHARE * CAP else 1):
            assert used < CAP
            used += cost
            state, _ = bucket.spend(state, now, used, before, end, CAP, WINDOW)
            before = used
