"""What the benchmarks stand on: a portal and the work against it in processes of their own, medians, a table."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

Json = dict[str, Any]
HERE = Path(__file__).parent
PATIENCE = 900  # seconds, for the longest work
SERVICE = HERE.parents[1] / "methods" / "bitrix24" / "_service.yaml"


class Portal:
    """A portal in a process of its own. `tls` is the file of its key and certificate."""

    def __init__(self, *, tls: str = "", **settings: float) -> None:
        words = [f"{name}={value}" for name, value in settings.items()] + ([f"tls={tls}"] if tls else [])
        command = [sys.executable, str(HERE / "portal.py"), *words]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.address = self._process.stdout.readline().strip()
        self._control = httpx.Client(trust_env=bool(tls), timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.communicate()

    def webhook(self, code: str = "code") -> str:
        """The address of a webhook; connections are counted by its code."""
        return f"{self.address}/rest/1/{code}/"

    def reset(self, **settings: float) -> None:
        """Set, and begin to count anew with an empty bucket."""
        self._control.post(f"{self.address}/control", json={"record": 0, **settings})

    def counts(self) -> Json:
        """What the portal counted since."""
        found: Json = self._control.get(f"{self.address}/control").json()
        return found


@contextmanager
def surroundings() -> Iterator[Path]:
    """A folder for a run, from which everything that the command keeps is kept out of the user's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("cache", "config", "state"):
            os.environ[f"DECLAREST_{kind.upper()}_DIR"] = str(folder / kind)
        os.environ.pop("DECLAREST_METHODS", None)
        yield folder


def lifted(folder: Path, *, rate: int = 2, burst: int = 50) -> str:
    """A folder of methods in which the portal's bucket holds or leaks more than the real one: the bookkeeping stays."""
    path = folder / f"lifted-{rate}-{burst}" / "bitrix24" / SERVICE.name
    text, real = SERVICE.read_text(encoding="utf-8"), "rate: 2/s, burst: 50,"
    if real not in text:
        raise SystemExit(f"{SERVICE} declares its rate in another way than is known here")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(real, f"rate: {rate}/s, burst: {burst},"), encoding="utf-8")
    return str(path.parents[1])


def certificate(folder: Path) -> str:
    """The file of a key and a certificate for this machine, trusted from now on by whoever reads SSL_CERT_FILE."""
    import trustme

    authority, file = trustme.CA(), folder / "portal.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    os.environ["SSL_CERT_FILE"] = str(folder / "authority.pem")
    return str(file)


def started(script: str, *words: object, python: str = sys.executable, **environment: str) -> subprocess.Popen[str]:
    """Work in a process of its own, with an account of limits that nobody has used yet unless one is given."""
    state = environment.pop("state", "") or tempfile.mkdtemp(dir=Path(os.environ["DECLAREST_CACHE_DIR"]).parent)
    return subprocess.Popen(
        [python, str(HERE / script), *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment, "DECLAREST_STATE_DIR": state},
    )


def ended(process: subprocess.Popen[str], given: str = "") -> Json:
    """What the work printed as its last line, or an `error`: the last line of what it complained of."""
    try:
        said, complained = process.communicate(given, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"error": f"it took more than {PATIENCE} s"}
    lines = said.strip().splitlines()
    if process.returncode or not lines:
        return {"error": (complained.strip().splitlines() or ["it said nothing"])[-1][:100]}
    found: Json = json.loads(lines[-1])
    return found


@dataclass(frozen=True)
class Figure:
    """A line of the table: what was done, what came of it, the ratio to what, and the bar, 0 where there is none."""

    work: str
    ratio: float
    floor: str
    bar: float = 0.0
    said: str = ""
    sound: bool = True  # complete, in order, without a refusal


def median(values: Iterable[float]) -> float:
    """The middle one, 0 of none."""
    return statistics.median([*values] or [0.0])


def show(figures: Iterable[Figure]) -> None:
    """Print the figures in Markdown, each when it is known; what does not hold is bold."""
    print("| work | ratio | bar | over | |\n|---|---:|---:|---|---|", flush=True)
    for one in figures:
        ratio = f"{one.ratio:.2f}×" if one.ratio else "fails"
        held = one.sound and (not one.bar or one.ratio <= one.bar)
        bar = f"{one.bar:.2f}×" if one.bar else ""
        print(f"| {one.work} | {ratio if held else f'**{ratio}**'} | {bar} | {one.floor} | {one.said} |", flush=True)
