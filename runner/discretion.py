"""Errors that leave without the values of the frames they came through, which tools for tracebacks like to show.

The lines of a traceback stay. What goes is what the functions on the way were given and had worked out: addresses,
tokens, passwords. Only what has ended is cleared, so the caller's own frames keep what they have.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")
_OURS = {__name__.partition(".")[0], "httpx", "httpcore", "json", "tomllib", "keyring", "jsonschema"}


def clear(error: BaseException) -> None:
    """Forget the local values of the frames of an error, and of our frames in the errors behind it."""
    _clear(error.__traceback__, ours=False)
    seen, waiting = {id(error)}, _behind(error)
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            _clear(one.__traceback__, ours=True)
            waiting += _behind(one)


def _behind(error: BaseException) -> list[BaseException]:
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [one for one in (error.__cause__, error.__context__, *inner) if one is not None]


def _clear(trace: TracebackType | None, *, ours: bool) -> None:
    while trace is not None:
        if not ours or str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] in _OURS:
            with suppress(RuntimeError):  # it is still running
                trace.tb_frame.clear()
        trace = trace.tb_next


@contextmanager
def discretion() -> Iterator[None]:
    """Clear whatever error leaves the block."""
    try:
        yield
    except BaseException as error:
        clear(error)
        raise


def discreet(function: Callable[P, T]) -> Callable[P, T]:
    """A function of the library's face: no error that leaves it tells what it was given."""

    @wraps(function)
    def face(*given: P.args, **more: P.kwargs) -> T:
        try:
            return function(*given, **more)
        except BaseException as error:
            del given, more
            clear(error)
            raise

    return face


def discreet_async(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """The same for a coroutine function."""

    @wraps(function)
    async def face(*given: P.args, **more: P.kwargs) -> T:
        try:
            return await function(*given, **more)
        except BaseException as error:
            del given, more
            clear(error)
            raise

    return face
