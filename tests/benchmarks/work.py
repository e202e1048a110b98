"""One piece of work against a portal in a fresh process, warm: a call was made before the time is taken.

    python tests/benchmarks/work.py rows|writes|share|stream|parquet|replay WEBHOOK COUNT

`stand.started` starts it. It prints one line of JSON. The portal's bucket is empty when the work begins.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

Json = dict[str, Any]
LIST, ADD = "crm.deal.list", "crm.deal.add"


def told(rows: Iterable[Any]) -> Json:
    """The time that rows took to come, how many they were, and whether each was the one that comes next."""
    since, number, right = time.perf_counter(), 0, True
    for number, row in enumerate(rows, 1):
        right = right and row["ID"] == str(number)
    return {"seconds": time.perf_counter() - since, "rows": number, "ordered": right}


def ready(webhook: str) -> None:
    """Let the drop of the warming call drain, and empty the bucket."""
    time.sleep(0.6)
    httpx.post(webhook.partition("/rest/")[0] + "/control", json={}, trust_env=False)


@contextmanager
def warm(webhook: str) -> Iterator[Any]:
    """A client that has made a call, and a portal that has forgotten it."""
    from runner import Client

    with Client("bitrix24", url=webhook) as client:
        client.call("user.current")
        ready(webhook)
        yield client


def rows(webhook: str, _: int) -> Json:
    """All rows of a list."""
    with warm(webhook) as client:
        return told(client.iterate(LIST))


def stream(webhook: str, _: int) -> Json:
    """The same, and the most memory that the process held, in MiB."""
    return {**rows(webhook, 0), "peak": peak()}


def parquet(webhook: str, _: int) -> Json:
    """The same with the rows in a file."""
    from runner.export import Export

    with warm(webhook) as client, tempfile.TemporaryDirectory() as folder:
        since = time.perf_counter()
        number = Export("parquet", f"{folder}/rows.parquet").save(client.iterate(LIST))
        seconds = time.perf_counter() - since
    return {"seconds": seconds, "rows": number, "peak": peak()}


def peak() -> float:
    """The most memory that the process held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def writes(webhook: str, number: int) -> Json:
    """So many deals made, and how many of the outcomes hold the id of a new deal that no other holds."""
    given = ({"fields": {"TITLE": f"Deal {one}"}} for one in range(number))
    with warm(webhook) as client:
        since = time.perf_counter()
        outcomes = [getattr(outcome, "value", None) for outcome in client.bulk(ADD, given)]
        seconds = time.perf_counter() - since
    return {"seconds": seconds, "rows": len({one for one in outcomes if isinstance(one, int)})}


def share(webhook: str, number: int) -> Json:
    """So many calls one after another, begun when a line comes on standard input."""
    from runner import Client

    with Client("bitrix24", url=webhook) as client:
        client.prepare("crm.deal.get", {"id": 1})
        print("ready", flush=True)
        sys.stdin.readline()
        since, right = time.perf_counter(), 0
        for one in range(1, number + 1):
            right += client.call("crm.deal.get", {"id": one}).value["ID"] == str(one)
        return {"seconds": time.perf_counter() - since, "rows": right}


def replay(webhook: str, _: int) -> Json:
    """The requests that a portal recorded, sent by bare httpx, each as soon as as many answers have come as then."""
    log = json.loads(sys.stdin.readline())
    answered, number = threading.Condition(), 0
    with httpx.Client(limits=httpx.Limits(max_connections=None), trust_env=False) as client:

        def send(before: int, method: str, body: str) -> None:
            nonlocal number
            with answered:
                answered.wait_for(lambda: number >= before)
            client.post(webhook + method, content=body, headers={"Content-Type": "application/json"}).json()
            with answered:
                number += 1
                answered.notify_all()

        client.post(webhook + "user.current", json={})
        ready(webhook)
        since = time.perf_counter()
        with ThreadPoolExecutor(max(len(log), 1)) as pool:
            list(pool.map(lambda request: send(*request), log))
        return {"seconds": time.perf_counter() - since}


def main() -> None:
    """Do what the words say."""
    what, webhook, number = sys.argv[1:4]
    works = {"rows": rows, "stream": stream, "parquet": parquet, "writes": writes, "share": share, "replay": replay}
    print(json.dumps(works[what](webhook, int(number))))


if __name__ == "__main__":
    main()
