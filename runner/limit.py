"""How often a service may be asked, and how often it is asked again; the times that are written for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """The seconds of a time such as `500ms`, `30s`, `10m` or `1h`."""
    unit = "ms" if text.endswith("ms") else text[-1]
    return float(text.removesuffix(unit)) * _UNITS[unit]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long: times in seconds, tries counted from 1."""

    tries: int = 5
    base: float = 1.0
    factor: float = 2.0
    max: float = 60.0
    deadline: float = 300.0
    on: tuple[str, ...] = ("network", "server", "rate_limit")

    @classmethod
    def read(cls, block: Json) -> Retry:
        """The block as a value."""
        words: Json = dict(block)
        for name in ("base", "max", "deadline"):
            if name in block:
                words[name] = seconds(block[name])
        if "on" in block:
            words["on"] = tuple(block["on"])
        return cls(**words)


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket (`rate` drops a second, `burst` drops) or a cost window (`cost` up to `cap` seconds in `window`)."""

    per: tuple[str, ...]
    rate: float = 0.0
    burst: int = 1
    cost: str = ""
    until: str = ""
    cap: float = 0.0
    window: float = 0.0

    @classmethod
    def read(cls, block: Json) -> Limit:
        """The block as a value."""
        number, _, unit = block.get("rate", "0/s").partition("/")
        return cls(
            per=tuple(block["per"]),
            rate=float(number) / _UNITS[unit],
            burst=block.get("burst", 1),
            cost=block.get("cost", ""),
            until=block.get("until", ""),
            cap=seconds(block["cap"]) if "cap" in block else 0.0,
            window=seconds(block["window"]) if "window" in block else 0.0,
        )
