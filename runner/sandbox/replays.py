"""Answers that are given again: a call that carries a key of its own is carried out once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .envelope import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..spec import Method
    from .folded import Outcome


MOST = 10_000  # calls that are remembered, the newest


@dataclass(slots=True)
class Replays:
    """The successes of calls whose header names them, where the method declares that this makes it idempotent."""

    _kept: dict[tuple[str, str], tuple[str, Outcome]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def found(self, method: Method, values: Mapping[str, Any]) -> Outcome | None:
        """The answer of an earlier call with this key. Raises Refused where that one was another call."""
        key, rest = _parted(method, values)
        with self._lock:
            before, outcome = self._kept.get((method.full_name, key), ("", None))
        if outcome is None:
            return None
        if before != rest:
            raise Refused("reused", name=method.document["idempotent"])
        return replace(outcome, headers={**outcome.headers, **method.service.sandbox.get("replayed", {})})

    def keep(self, method: Method, values: Mapping[str, Any], outcome: Outcome) -> None:
        """Remember the answer to a call that has a key."""
        key, rest = _parted(method, values)
        if key and not outcome.refused:
            with self._lock:
                self._kept[method.full_name, key] = rest, outcome
                while len(self._kept) > MOST:
                    del self._kept[next(iter(self._kept))]


def _parted(method: Method, values: Mapping[str, Any]) -> tuple[str, str]:
    """The key of a call, and all else that it holds."""
    name = method.document.get("idempotent")
    param = method.params.get(name) if isinstance(name, str) else None
    if param is None or param.place != "header" or values.get(param.name) is None:
        return "", ""
    return str(values[param.name]), repr({key: value for key, value in values.items() if key != param.name})
