"""What the command costs before and around a call, as ratios of processor time to `python -c pass` in the same run.

    python tests/benchmarks/startup.py            the table
    python tests/benchmarks/startup.py --short    fewer rounds, for a machine that checks every change

Every figure is user and system time of a whole process, the median of interleaved rounds. The last column is the
bar that the project set itself. The catalogue's size is varied with a made folder of 25 and of 10,000 methods.
"""

from __future__ import annotations

import http.server
import json
import os
import statistics
import sys
import tempfile
import threading
from pathlib import Path

VERBS = ("add", "get", "list", "update", "delete", "fields", "count")
COMMAND = Path(sys.executable).with_name("declarest")
SCRIPT = """
import json, sys
import httpx, jsonschema, yaml
body = {"TITLE": "New chat", "USERS": [1, 10], "COLOR": "GREEN"}
with httpx.Client(headers={"Accept": "application/json"}) as client:
    reply = client.post(sys.argv[1] + "rest/1/code/im.chat.add", json=body)
print(json.dumps(reply.json()["result"]))
"""


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers every request with a chat's id."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"result": 26, "time": {"duration": 0.01}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the table clean."""


def cost(words: list[str], folder: Path, methods: Path | None) -> float:
    """The processor seconds of one process."""
    environment = {
        **os.environ,
        "DECLAREST_CACHE_DIR": str(folder / "cache"),
        "DECLAREST_CONFIG_DIR": str(folder / "config"),
        "DECLAREST_STATE_DIR": str(folder / "state"),
        "DECLAREST_METHODS": str(methods or ""),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed command runs from compiled files
    null = os.open(os.devnull, os.O_RDWR)
    child = os.posix_spawn(words[0], words, environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    _, status, used = os.wait4(child, 0)
    os.close(null)
    if status:
        message = f"{words} ended with status {status}"
        raise SystemExit(message)
    return used.ru_utime + used.ru_stime


def made(folder: Path, count: int) -> Path:
    """A folder with one service of so many methods, spread over areas as those of a large service are."""
    root = folder / f"made-{count}"
    service = root / "made"
    service.mkdir(parents=True)
    text = {"spec": 1, "service": "made", "title": "Made", "auth": {"none": {"base": "http://127.0.0.1:9/"}}}
    (service / "_service.yaml").write_text(json.dumps(text))
    for number in range(count):
        area, thing = f"area{number // 200}", f"thing{number // 7}"
        name = f"{area}.{thing}.{['add', 'get', 'list', 'update', 'delete', 'fields', 'count'][number % 7]}"
        path = service / area / thing / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        params = {f"PARAM_{one}": {"type": "string", "description": "What it is"} for one in range(9)}
        summary = f"Do what {thing} {'chat' if number < 5 else 'needs'}"
        path.write_text(json.dumps({"method": name, "summary": summary, "effect": "write", "params": params}))
    return root


def measured(cases: dict[str, tuple[list[str], Path | None]], folder: Path, rounds: int) -> dict[str, float]:
    """The median cost of every case; the first round of each warms the caches and is not counted."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, (words, methods) in cases.items():
            spent = cost(words, folder, methods)
            if number:
                times[name].append(spent)
    return {name: statistics.median(spent) for name, spent in times.items()}


def main() -> None:
    """Measure, and print the table."""
    rounds = 7 if "--short" in sys.argv else 31
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    declarest, python = str(COMMAND), sys.executable
    call = ["bitrix24", "im.chat.add", "--title", "New chat", "--users", "1,10", "--color", "green"]
    url = ["--url", f"{address}rest/1/code/"]
    area = ["made", "area0.thing0.add", "--param-1", "x", "--dry-run"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = made(folder, 25), made(folder, 10_000)
        script = folder / "script.py"
        script.write_text(SCRIPT)
        cases: dict[str, tuple[list[str], Path | None]] = {
            "python -c pass": ([python, "-c", "pass"], None),
            "--version": ([declarest, "--version"], None),
            "find chat": ([declarest, "find", "chat"], None),
            "completion of a name": ([declarest, "--complete", "bitrix24", "im.ch"], None),
            "--dry-run": ([declarest, *call, *url, "--dry-run"], None),
            "a script with httpx": ([python, str(script), address], None),
            "a call": ([declarest, *call, *url], None),
        }
        for size, root in ((25, few), (10_000, many)):
            cases[f"find, {size} methods"] = ([declarest, "find", "chat"], root)
            cases[f"completion, {size} methods"] = ([declarest, "--complete", "made", "area0.thing0.a"], root)
            cases[f"--dry-run, {size} methods"] = ([declarest, *area], root)
        found = measured(cases, folder, rounds)
    server.shutdown()
    server.server_close()
    bare = found["python -c pass"]
    rows = [
        ("declarest --version", found["--version"] / bare, "python -c pass", 2.0),
        ("declarest find chat", found["find chat"] / bare, "python -c pass", 3.0),
        ("completion of a method's name", found["completion of a name"] / bare, "python -c pass", 3.0),
        ("declarest … --dry-run", found["--dry-run"] / bare, "python -c pass", 9.0),
        ("declarest … , sent", found["a call"] / found["a script with httpx"], "a script that posts the same", 1.15),
    ]
    for what in ("find", "completion", "--dry-run"):
        ratio = found[f"{what}, 10000 methods"] / found[f"{what}, 25 methods"]
        rows.append((f"{what}, 10,000 methods", ratio, "the same with 25", 1.2))
    print(f"processor time of whole processes, medians of {rounds} rounds; python -c pass: {bare * 1000:.1f} ms\n")
    print(f"{'what':<32} {'ratio':>6}  {'bar':>5}  to")
    for what, ratio, floor, bar in rows:
        print(f"{what:<32} {ratio:>5.2f}×  {bar:>4}×  {floor}")


if __name__ == "__main__":
    main()
