"""The arithmetic of limits: what was, what the clock says, what is and how long to wait. Nothing else.

Each function takes the numbers that are kept of one limit (None where nothing is), the time, and its own numbers;
it gives the numbers to keep and an answer. Times are seconds of one clock. `OPERATIONS` names them for the stores.

A leaky bucket keeps `since, count, seen`: when it was last empty, the drops that fell since, the latest time seen.
The server counts what arrives, we count what departs, and the way takes a little longer for one than for another.
So a bucket begins to leak only `slack` seconds after it was empty: whoever finds it full waits that much longer,
once and not each time, and what departs within `slack` of its turn arrives before nothing that it must not.

A cost window keeps `used, until, cost, pace, next, seen`: the seconds used up of it, when some of them are free
again, what one call used, the seconds between two calls, when the next may go, the latest time seen.
"""

from __future__ import annotations

from collections.abc import Callable

State = tuple[float, ...]
Operation = Callable[..., tuple[State | None, float]]

SLACK = 0.25  # seconds: more than one way differs from another, less than a person notices
JUMP = 5.0  # a clock that goes back further than threads and processes overtake each other was set
SHARE = 0.8  # of a cost window: up to here nobody is slowed down
UNKNOWN = -1.0
FOREVER = 1e300  # seconds; any number travels to any store, infinity does not


def take(  # noqa: PLR0913 - the numbers of a bucket
    state: State | None, now: float, step: float, burst: float, slack: float, most: float, places: float = 1.0
) -> tuple[State | None, float]:
    """Take a place in a bucket that leaks a drop each `step` seconds; the answer is the seconds until it may fall.

    Where that would be more than `most`, no place is taken. Several `places` are taken at once where they leave half
    of the bucket free; then the answer is their number, below zero.
    """
    since, count, seen = _bucket(state, now, step, slack)
    if places > 1 and count + places - max(0.0, now - since - slack) / step <= burst / 2:
        return (since, count + places, seen), -places
    over = count + 1 - burst
    pause = max(0.0, since + slack + over * step - now) if over > 0 else 0.0
    if pause > most:
        return state, pause
    return (since, count + 1, seen), pause


def fill(  # noqa: PLR0913 - the numbers of a bucket
    state: State | None, now: float, step: float, burst: float, slack: float, told: float
) -> tuple[State | None, float]:
    """Correct a bucket that the server says is full: somebody else was there, so it is.

    Places that are taken and not yet used stay taken. `told` are the seconds after which the server wants to be
    asked again; where they are fewer than it takes to leak, the server knows better.
    """
    since, count, seen = _bucket(state, now, step, slack)
    level = count - max(0.0, now - since - slack) / step
    return (now + min(told, slack + step) - slack - step, max(level, burst), seen), 0.0


def free(state: State | None, now: float, step: float, burst: float, slack: float) -> tuple[State | None, float]:
    """How many places could be taken at once and used at once."""
    since, count, _ = _bucket(state, now, step, slack)
    return state, max(0.0, float((burst - count + max(0.0, now - since - slack) / step) // 1))


def opened(state: State | None, now: float) -> tuple[State | None, float]:
    """When a bucket was last empty, if one drop fell since and no other; else less than nothing."""
    del now
    return state, state[0] if state is not None and state[1] == 1 else UNKNOWN


def delay(state: State | None, now: float, since: float, seconds: float) -> tuple[State | None, float]:
    """Move the beginning of a bucket that was empty at `since`: its first drop fell so many seconds later."""
    del now
    if state is None or state[0] != since:
        return state, 0.0
    return (since + seconds, *state[1:]), 0.0


def _bucket(state: State | None, now: float, step: float, slack: float) -> tuple[float, float, float]:
    """A bucket as it is now: moved where the clock was set back, fresh where all has leaked."""
    if state is None:
        return now, 0.0, now
    since, count, seen = state
    if now < seen - JUMP:
        since, seen = since + now - seen, now
    if now >= since + slack + count * step:
        return now, 0.0, max(now, seen)
    return since, count, max(now, seen)


def spend(  # noqa: PLR0913 - the numbers of a cost window
    state: State | None, now: float, used: float, before: float, until: float, cap: float, window: float
) -> tuple[State | None, float]:
    """Note the `used` seconds of `cap` that an answer tells, and spread what is left over the time until `until`.

    `before` is what was used at the answer before this one, or less than nothing where that is not known.
    """
    last, end, cost, _, following, _ = _window(state, now, window) or (before, 0.0, 0.0, 0.0, now, now)
    if until < end or (until == end and used < last):
        return state, 0.0  # it was overtaken by a later answer
    if 0.0 <= last < used:
        cost = (cost + used - last) / 2 if cost else used - last
    if used >= cap:
        return (used, until, cost, max(cost, 1.0), max(following, until), now), 0.0
    pace = 0.0 if used < SHARE * cap else max(0.0, until - now) * cost / (cap - used)
    following = now if pace == 0.0 else min(following, now + max(0.0, until - now))
    return (used, until, cost, pace, following, now), 0.0


def hold(state: State | None, now: float, calls: float, window: float, most: float) -> tuple[State | None, float]:
    """Take the turn of so many `calls` in a cost window; the answer is the seconds until it comes.

    Where that would be more than `most`, no turn is taken.
    """
    kept = _window(state, now, window)
    if kept is None:
        return state, 0.0
    used, until, cost, pace, following, seen = kept
    start = max(following, now)
    pause = min(start - now, window)
    if pause > most:
        return state, pause
    return (used, until, cost, pace, start + calls * pace, seen), pause


def block(state: State | None, now: float, until: float, cap: float, window: float) -> tuple[State | None, float]:
    """Note that the server refused a call for its cost: nobody calls before `until`, and then one after another."""
    used, end, cost, _, following, _ = _window(state, now, window) or (cap, 0.0, 0.0, 0.0, now, now)
    if until == UNKNOWN:  # it did not say: it may have said before, else a tenth of the window is a fair guess
        until = end if end > now else now + window / 10
    return (max(used, cap), until, cost, max(cost, 1.0), max(following, until), now), 0.0


def due(state: State | None, now: float, window: float) -> tuple[State | None, float]:
    """The seconds until a next call may go, no turn taken."""
    kept = _window(state, now, window)
    return state, min(max(0.0, kept[4] - now), window) if kept else 0.0


def pace(state: State | None, now: float, window: float) -> tuple[State | None, float]:
    """The seconds between two calls."""
    kept = _window(state, now, window)
    return state, kept[3] if kept else 0.0


def _window(state: State | None, now: float, window: float) -> State | None:
    """What is known of a cost window; what is older than it, or comes from a later time, is worth nothing."""
    return state if state is not None and -JUMP <= now - state[5] <= window else None


OPERATIONS: dict[str, Operation] = {
    one.__name__: one for one in (take, fill, free, opened, delay, spend, hold, block, due, pace)
}
MAKING = frozenset({"take", "fill", "spend", "block"})  # the others find nothing where nothing is kept
CLOSING = frozenset({"fill", "spend", "block"})  # what was taken in advance may be too much after these
READING = frozenset({"free", "opened", "due", "pace"})
