"""The wheel, built and installed into an empty environment: it holds all that a call needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def run(*words: str | Path, folder: Path) -> str:
    """The standard output of a process that must succeed, away from the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DECLAREST", "PYTHON", "COV"))}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**kept, "HOME": str(folder), "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_wheel_makes_a_call_to_the_sandbox(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, REPOSITORY, folder=tmp_path)
    (wheel,) = tmp_path.glob("declarest-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"runner/_data/schemas/method.json", "runner/_data/methods/bitrix24/_service.yaml"} <= names
    assert not [name for name in names if name.startswith(("tests/", "methods/", "schemas/"))]
    assert wheel.stat().st_size < 3_000_000

    place = tmp_path / "empty"
    run(sys.executable, "-m", "venv", place, folder=tmp_path)
    python = place / "bin" / "python"
    run(python, *pip[1:], "install", wheel, folder=tmp_path)
    call = ["bitrix24", "im.chat.add", "--title", "New chat", "--users", "1,10", "--color", "green"]
    told = json.loads(run(place / "bin" / "declarest", *call, "--sandbox", "--raw", folder=tmp_path))
    assert told["result"] == 1
    assert {"start", "finish", "duration"} <= told["time"].keys()
    lines = ["from runner import Client", "with Client('bitrix24', sandbox=True) as portal:"]
    lines.append("    print(portal.call('im.chat.add').value)")
    assert run(python, "-c", "\n".join(lines), folder=tmp_path) == "2\n"
