"""Rows a second that a sandbox answers in pages, in one process with the one who asks: `python sandbox.py [ROWS]`.

The least time of four rounds. A batch holds 50 pages of 50 rows.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import httpx

from runner.catalog import Catalog
from runner.sandbox import MEMORY, Served, start

if TYPE_CHECKING:
    from collections.abc import Callable

COLLECTION, LIST, ADD = "crm.deal", "crm.deal.list", "crm.deal.add"
PAGES: dict[str, Callable[[int, int], str]] = {
    "by offset, from the middle": lambda page, rows: f"start={page * 50 + rows // 2}",
    "by offset, downwards": lambda page, _: f"start={page * 50}&order[ID]=DESC",
    "by id, from the middle": lambda page, rows: f"order[ID]=ASC&filter[%3EID]={page * 50 + rows // 2}&start=-1",
    "by id, each after the last": lambda page, _: (
        "order[ID]=ASC&start=-1&filter[%3EID]=" + (f"$result[c{page - 1}][49][ID]" if page else "0")
    ),
    "by ranges of ids, counted": lambda page, _: f"filter[%3EID]={page * 50}&filter[%3C%3DID]={page * 50 + 50}",
}


def asked(client: httpx.Client, name: str, body: Any) -> tuple[float, Any]:
    """The seconds that a request took, and what was answered."""
    begun = time.perf_counter()
    answer = client.post(name, json=body).json()
    return time.perf_counter() - begun, answer["result"]


def measure(served: Served, rows: int) -> None:
    """Print a line for each way of asking."""
    with httpx.Client(base_url=f"{served.address}/rest/1/sandbox/", timeout=600) as client:
        for name, query in PAGES.items():
            calls = {f"c{page}": f"{LIST}?{query(page, rows)}" for page in range(50)}
            rounds = [asked(client, "batch", {"cmd": calls}) for _ in range(4)]
            seconds, result = min(rounds, key=lambda one: one[0])
            count = sum(len(page) for page in result["result"].values())
            print(f"{name:<28} {count:>5} rows {seconds * 1000:>5.0f} ms {count / seconds:>9,.0f} rows/s")
        seconds = sum(asked(client, LIST, {"start": page * 50})[0] for page in range(200))
        print(f"{'one page a request':<28} {10_000:>5} rows {seconds * 1000:>5.0f} ms {10_000 / seconds:>9,.0f} rows/s")
        calls = {f"c{number}": f"{ADD}?fields[TITLE]=A" for number in range(50)}
        seconds = sum(asked(client, "batch", {"cmd": calls})[0] for _ in range(20))
        print(f"{'writes in batches':<28} {1000:>5} rows {seconds * 1000:>5.0f} ms {1000 / seconds:>9,.0f} rows/s")


def main() -> None:
    """Fill a collection, and read it in every way."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with start(Catalog(), "bitrix24", state=MEMORY) as served:
        begun = time.perf_counter()
        served.seed(COLLECTION, rows)
        print(f"{rows:,} rows put in within {time.perf_counter() - begun:.2f} s")
        measure(served, rows)


if __name__ == "__main__":
    main()
