"""What a client costs: time and memory of a thousand of them, over a thousand of httpx's and over one.

    python tests/benchmarks/clients.py          a table in Markdown
    python tests/benchmarks/clients.py --short  a hundred of each

Each kind is made in a process of its own, in which the library is imported and one client was made before.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import stand

COUNT, SHORT = 1000, 100
KINDS = {"declarest": "clients of declarest", "httpx": "clients of httpx", "one": "one client of httpx"}


def memory() -> int:
    """The most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def make(kind: str, count: int) -> None:
    """Make clients, and print what they cost."""

    def one(number: int) -> Any:
        if kind == "declarest":
            from runner import Client

            return Client("bitrix24", url=f"https://portal{number}.example/rest/1/code{number}/")
        import httpx

        return httpx.Client(base_url=f"https://portal{number}.example/rest/1/code{number}/")

    kept = [one(0)] if kind != "one" else []
    before, began = memory(), time.perf_counter()
    kept += [one(number) for number in range(1, 2 if kind == "one" else count + 1)]
    took, more = time.perf_counter() - began, memory() - before
    print(json.dumps({"ms": took * 1e3, "kib": more}))
    for client in kept:
        client.close()


def main(count: int) -> None:
    """Print the table."""
    print(f"| {count:,} of a kind | time | each | memory | each |\n|---|---:|---:|---:|---:|")
    with stand.surroundings():
        stand.ended(stand.started("clients.py", "declarest", 1))  # the catalogue is compiled once
        for kind, title in KINDS.items():
            found = stand.ended(stand.started("clients.py", kind, count))
            number = 1 if kind == "one" else count
            each = f"{found['ms'] / number:.2f} ms | {found['kib'] / 1024:.1f} MiB | {found['kib'] / number:.1f} KiB"
            print(f"| {title} | {found['ms']:,.0f} ms | {each} |", flush=True)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words and words[0] in KINDS:
        make(words[0], int(words[1]))
    else:
        main(SHORT if "--short" in words else COUNT)
