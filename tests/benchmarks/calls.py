"""What one validated call costs in a warm client, as ratios to a kept httpx client that posts the same body.

    python tests/benchmarks/calls.py            the table
    python tests/benchmarks/calls.py --short    fewer rounds

Both read the answer as JSON. Rounds of calls are interleaved in one process; the figures are medians of the ratio of
each round. The limits are kept as always, at the real rate, in a bucket so large that it holds nobody up.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from stand import Figure, Portal, certificate, lifted, median, show, surroundings

from runner import AsyncClient, Client

METHOD = "im.chat.add"
BODY = {"TITLE": "New chat", "USERS": [1, 10], "COLOR": "GREEN"}
CALLS = 10
Times = dict[str, list[tuple[float, float]]]


def clocks() -> tuple[float, float]:
    """Time passed and time used, in seconds."""
    return time.perf_counter(), time.process_time()


def noted(times: Times, name: str, since: tuple[float, float]) -> None:
    now = clocks()
    times.setdefault(name, []).append((now[0] - since[0], now[1] - since[1]))


def shuffled(rounds: int, names: list[str]) -> Iterator[str]:
    """Each name once a round, in random order; the first rounds warm everything up and are not counted."""
    for _ in range(rounds):
        yield from random.sample(names, len(names))


def sync(portal: Portal, methods: str, rounds: int) -> Times:
    """The rounds of the sync client and of its floor."""
    times: Times = {}
    with httpx.Client() as bare, Client("bitrix24", url=portal.webhook("sync"), methods=methods) as client:
        address = portal.webhook("bare") + METHOD
        work: dict[str, Callable[[], Any]] = {
            "bare": lambda: bare.post(address, json=BODY).json()["result"],
            "ours": lambda: client.call(METHOD, BODY).value,
        }
        for name in shuffled(rounds, list(work)):
            since = clocks()
            for _ in range(CALLS):
                work[name]()
            noted(times, name, since)
    return times


async def concurrent(portal: Portal, methods: str, rounds: int) -> Times:
    """The rounds of the async client and of its floor."""
    times: Times = {}
    ours = AsyncClient("bitrix24", url=portal.webhook("async"), methods=methods)
    async with httpx.AsyncClient() as bare, ours as client:
        address = portal.webhook("bare-async") + METHOD

        async def post() -> Any:
            return (await bare.post(address, json=BODY)).json()["result"]

        async def call() -> Any:
            return (await client.call(METHOD, BODY)).value

        work: dict[str, Callable[[], Awaitable[Any]]] = {"bare": post, "ours": call}
        for name in shuffled(rounds, list(work)):
            since = clocks()
            for _ in range(CALLS):
                await work[name]()
            noted(times, name, since)
    return times


def ratios(times: Times) -> tuple[float, float, float]:
    """Wall and processor time over those of the floor, and the floor's processor milliseconds a call."""
    pairs = list(zip(times["ours"], times["bare"], strict=True))[3:]
    wall, spent = (median(ours[at] / bare[at] for ours, bare in pairs) for at in (0, 1))
    return wall, spent, median(bare[1] for _, bare in pairs) / CALLS * 1000


def figures(folder: Path, *, short: bool) -> Iterator[Figure]:
    """The lines of the table."""
    rounds, methods = 30 if short else 200, lifted(folder, burst=1_000_000)
    for way in ("plain", "TLS"):
        with Portal(tls=certificate(folder) if way == "TLS" else "") as portal:
            for name, times in (
                ("sync", sync(portal, methods, rounds)),
                ("async", asyncio.run(concurrent(portal, methods, rounds))),
            ):
                connections = portal.counts()["connections"][name]
                wall, spent, floor = ratios(times)
                said = f"{connections} connection{'s' * (connections > 1)}"
                over = f"kept httpx client, {floor:.2f} ms of processor"
                yield Figure(f"call, {way}, {name}: processor", spent, over, 1.15, said, connections == 1)
                yield Figure(f"call, {way}, {name}: time", wall, over, 1.15, said, connections == 1)


def main() -> None:
    """Measure, and print the table."""
    with surroundings() as folder:
        show(figures(folder, short="--short" in sys.argv))


if __name__ == "__main__":
    main()
