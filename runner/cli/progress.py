"""How far a long reading or a long run has come: one line on a terminal, drawn over itself, gone at the end."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PAUSE = 0.1  # seconds between two drawings


def wanted(*, quiet: bool) -> bool:
    """Whether somebody looks: a terminal that can draw over a line, and no job of a build."""
    unattended = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return sys.stderr.isatty() and not quiet and not unattended and os.environ.get("TERM") != "dumb"


class Progress:
    """Counts the rows that pass, and shows them where it is `shown`: their number, their rate, the time left.

    `total` is how many there will be, as soon as that is known, `failed` how many of those that passed have failed;
    `clock` gives seconds.
    """

    def __init__(self, *, shown: bool, total: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._shown, self._clock = shown, clock
        self._began = self._drawn = clock()
        self._width = 0
        self.most, self.total, self.count, self.failed = total, total, 0, 0

    def expect(self, total: int | None) -> None:
        """Be told how many rows there are in all, of which no more are read than were asked for."""
        known = [one for one in (total, self.most) if one is not None]
        self.total = min(known) if known else None

    def through(self, rows: Iterable[Any]) -> Iterator[Any]:
        """The rows, counted."""
        try:
            for row in rows:
                self.count += 1
                if self._shown and self._clock() - self._drawn >= _PAUSE:
                    self._draw()
                yield row
        finally:
            self.clear()

    def clear(self) -> None:
        """Take the line away, so that something else may be said."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0

    def _draw(self) -> None:
        self._drawn = self._clock()
        text = _fitting(self.line(self._drawn - self._began))
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def line(self, seconds: float) -> str:
        """What is shown after so many seconds."""
        rate = self.count / seconds
        parts = [f"{self.count:,} rows", f"{rate:,.0f} a second"]
        if self.total is not None and self.total >= self.count:
            parts[0] = f"{self.count:,} of {self.total:,} rows"
            parts.append(f"{_spelt((self.total - self.count) / rate)} left")
        if self.failed:
            parts.insert(1, f"{self.failed:,} failed")
        return ", ".join(parts)


def _fitting(text: str) -> str:
    """A text as far as it fits into one line of the terminal: a longer one could not be drawn over."""
    import shutil

    return text[: max(1, shutil.get_terminal_size().columns - 1)]


def _spelt(seconds: float) -> str:
    """So many seconds as a person says them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
