"""What many calls cost, as ratios to the least that the portal's limits allow, to bare httpx and to a peer.

    python tests/benchmarks/throughput.py                 everything: about a quarter of an hour
    python tests/benchmarks/throughput.py rows writes     some parts: calls rows large slow writes processes memory
    python tests/benchmarks/throughput.py --short         what a machine does that checks every change

The table is Markdown; a figure that does not hold is bold. The portal is a simulator in a process of its own
(`portal.py`): 50 ms a request, the bucket of the real one (50, 2 a second) where nothing else is said, requests served
side by side. All work runs in fresh processes, warm, in interleaved rounds; ratios are medians of those of each round.
`peers.py setup` makes the environment of the peers; without it their figures are left out.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import calls
import peers
from stand import Figure, Json, Portal, ended, lifted, median, show, started, surroundings

BURST, RATE = 50, 2.0
LATENCY, PAGE = 0.05, 0.02


def over_least(found: Json, counts: Json, page: float) -> float:
    """The time over the least that the bucket leaves: for the requests that were let in, the last of them answered."""
    if "seconds" not in found or not counts["log"]:
        return 0.0
    _, _, body = counts["log"][-1]
    commands = len(json.loads(body).get("cmd") or [1])
    waited = max(0.0, (counts["requests"] - counts["refusals"] - BURST) / RATE)
    return float(found["seconds"] / (waited + LATENCY + page * commands))


def measured(portal: Portal, work: str, number: int, **settings: float) -> tuple[Json, Json]:
    """What our client did, and what the portal counted."""
    portal.reset(record=1, burst=BURST, **settings)
    return ended(started("work.py", work, portal.webhook(), number)), portal.counts()


def peer(portal: Portal, name: str, work: str, number: int, **settings: float) -> Json:
    """What a peer did, with the refusals that the portal counted; nothing where there is no peer."""
    if not peers.python():
        return {}
    portal.reset(burst=BURST, **settings)
    found = ended(started("peers.py", name, work, portal.webhook(), number, python=peers.python()))
    return {**found, "refusals": portal.counts()["refusals"]}


def about(found: Json, number: int) -> str:
    """What became of a peer's work, in words."""
    if not found:
        return ""
    refused = f", {found['refusals']} refusals" if found["refusals"] else ""
    if "error" in found:
        return f"fails{refused}: {found['error'].partition(':')[0]}"
    whole = "" if found["rows"] == number else f", {found['rows']:,} of {number:,}"
    return f"{found['seconds']:.2f} s{whole}{refused}"


def result(found: Json, counts: Json, number: int) -> tuple[str, bool]:
    """What became of our work in words, and whether it is whole, in order and without a refusal."""
    if "error" in found:
        return found["error"], False
    sound = found["rows"] == number and found.get("ordered", True) and not counts["refusals"]
    said = f"{found['seconds']:.2f} s, {counts['requests']} requests, {counts['in_flight']} in flight"
    said += "" if found["rows"] == number else f", {found['rows']:,} of {number:,} rows"
    said += "" if found.get("ordered", True) else ", not in order"
    said += f", {counts['refusals']} refusals" if counts["refusals"] else ""
    said += f", {counts['duplicates']} doubled" if counts["duplicates"] else ""
    return said, sound and not counts["duplicates"]


def rows(_: Path, *, short: bool) -> Iterator[Figure]:
    """Lists read whole, beside the peer that is fastest and beside the same requests sent by bare httpx."""
    for number, rounds in ((5_000, 1 if short else 5), *(() if short else ((50_000, 3),))):
        with Portal(rows=number, latency=LATENCY, page=PAGE) as portal:
            over: dict[str, list[float]] = {"fast": [], "bare": []}
            said, sound, other = "", True, ""
            for _round in range(rounds):
                fast = peer(portal, "fast_bitrix24", "rows", number)
                found, counts = measured(portal, "rows", number)
                portal.reset(burst=0)
                bare = ended(started("work.py", "replay", portal.webhook(), number), json.dumps(counts["log"]))
                said, whole = result(found, counts, number)
                sound, other = sound and whole, about(fast, number)
                if "seconds" in found:
                    over["bare"] += [found["seconds"] / bare["seconds"]]
                    over["fast"] += [found["seconds"] / fast["seconds"]] if "seconds" in fast else []
        fast_ratio, bare_ratio = median(over["fast"]), median(over["bare"])
        enough = bool(fast_ratio) and fast_ratio <= 1 / 2
        if fast_ratio:
            yield Figure(f"{number:,} rows", fast_ratio, f"fast_bitrix24: {other}", 1 / 2 if enough else 0, said, sound)
        yield Figure(f"{number:,} rows", bare_ratio, "the same requests by httpx", 0 if enough else 1.15, said, sound)


def large(_: Path, *, short: bool) -> Iterator[Figure]:
    """A list that needs more requests than the burst holds."""
    number, page = 30_000 if short else 300_000, 0.002
    settings = {"rows": number, "latency": LATENCY, "page": page}
    with Portal() as portal:
        found, counts = measured(portal, "rows", number, **settings)
        said, sound = result(found, counts, number)
        other = about(peer(portal, "fast_bitrix24", "rows", number, **settings), number)
    ratio = over_least(found, counts, page)
    yield Figure(f"{number:,} rows, 2 ms a page", ratio, "least time", 1.03, said + beside(other), sound)


def beside(other: str) -> str:
    """What became of the peer's work, where there is a peer."""
    return f"; fast_bitrix24: {other}" if other else ""


def slow(_: Path, *, short: bool) -> Iterator[Figure]:
    """A portal that takes a quarter of a second for a page: no request may come near its end of 60 s."""
    number, settings = 5_000, {"rows": 5_000, "latency": LATENCY, "page": 0.25}
    with Portal() as portal:
        found, counts = measured(portal, "rows", number, **settings)
        said, sound = result(found, counts, number)
        said += f", the longest {counts['longest']:.1f} s"
        for name in () if short else peers.PACKAGES:
            other = about(peer(portal, name, "rows", number, **settings), number)
            said += f"; {name}: {other}" if other else ""
    yield Figure("5,000 rows, 250 ms a page: longest request", counts["longest"] / 60, "60 s", 0.5, said, sound)


def writes(_: Path, *, short: bool) -> Iterator[Figure]:
    """Deals made in bulk."""
    number = 2_000 if short else 10_000
    for page in (0.02,) if short else (0.02, 0.1, 0.3):
        with Portal(latency=LATENCY, page=page) as portal:
            found, counts = measured(portal, "writes", number)
            said, sound = result(found, counts, number)
            other = about(peer(portal, "fast_bitrix24", "writes", number), number)
        ratio = over_least(found, counts, page)
        work = f"{number:,} writes, {page * 1000:.0f} ms each"
        yield Figure(work, ratio, "least time", 1.03, said + beside(other), sound)


def processes(folder: Path, *, short: bool) -> Iterator[Figure]:
    """Four processes that share the limit of one portal."""
    number, several = 80 if short else 400, 4
    with Portal(burst=BURST, latency=LATENCY) as portal:
        state = tempfile.mkdtemp(dir=folder)
        words = ("work.py", "share", portal.webhook(), number // several)
        running = [started(*words, state=state) for _ in range(several)]
        pipes = [(process.stdin, process.stdout) for process in running]
        for _, stdout in pipes:
            assert stdout
            stdout.readline()
        portal.reset(record=1)
        for stdin, _ in pipes:
            assert stdin
            stdin.write("\n")
            stdin.flush()
        found, counts = [ended(process) for process in running], portal.counts()
    broken = [one for one in found if "error" in one]
    slowest = max(one.get("seconds", 0.0) for one in found)
    whole = broken[0] if broken else {"seconds": slowest, "rows": sum(one["rows"] for one in found)}
    said, sound = result(whole, counts, number)
    ratio = over_least(whole, counts, 0)
    yield Figure(f"{number} calls of {several} processes", ratio, "least time", 1.05, said, sound)


def memory(folder: Path, *, short: bool) -> Iterator[Figure]:
    """The most memory of a process that streams many rows, over one that streams few; and of one that exports them."""
    many, few, methods = 100_000 if short else 1_000_000, 10_000, lifted(folder, rate=20_000)
    for work in ("stream", *(["parquet"] if find_spec("pyarrow") else [])):
        found = []
        with Portal() as portal:
            for number in (few, few, many):  # the first compiles the methods, which takes memory too
                portal.reset(rows=number)
                process = started("work.py", work, portal.webhook(), number, DECLAREST_METHODS=methods)
                found.append((ended(process), portal.counts()))
        said, sound = result(*found[-1], many)
        peaks = [one.get("peak", 0.0) for one, _ in found[1:]]
        ratio = peaks[1] / peaks[0] if all(peaks) else 0.0
        name = "peak memory" if work == "stream" else "peak memory of an export to Parquet"
        yield Figure(f"{many:,} rows: {name}", ratio, f"{few:,} rows, {peaks[0]:.0f} MiB", 1.1, said, sound)


PARTS: dict[str, Callable[..., Iterator[Figure]]] = {
    "calls": calls.figures,
    "rows": rows,
    "large": large,
    "slow": slow,
    "writes": writes,
    "processes": processes,
    "memory": memory,
}
SHORT = ("calls", "rows", "memory")


def main() -> None:
    """Measure, and print the table."""
    short = "--short" in sys.argv
    named = [word for word in sys.argv[1:] if word != "--short"]
    if unknown := set(named) - set(PARTS):
        raise SystemExit(f"there is no part {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    others = ", ".join(f"{name} {number}" for name, number in peers.versions().items())
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors; peers: {others or 'none'}")
    if not others:
        print("the figures of peers are left out: python tests/benchmarks/peers.py setup")
    print()
    with surroundings() as folder:
        show(one for part in named or (SHORT if short else PARTS) for one in PARTS[part](folder, short=short))


if __name__ == "__main__":
    main()
