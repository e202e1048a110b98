"""Signals that end the process: a stop that comes from outside ends a line in order, as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def orderly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit meanwhile, where nobody else listens to them."""

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    asked = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    mine = [number for number in asked if _heard() and signal.getsignal(number) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


def over() -> None:
    """Let nothing but a kill stop the process any more: its exit code stands, and has to be told."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and _heard():
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _heard() -> bool:
    """Whether this thread may say what a signal does."""
    return threading.current_thread() is threading.main_thread()
