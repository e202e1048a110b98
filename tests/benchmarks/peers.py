"""Other clients of the same portal, in an environment of their own, to measure beside.

    python tests/benchmarks/peers.py setup      makes the environment (DECLAREST_PEERS, or a folder of the user's cache)
    python tests/benchmarks/peers.py versions   what is in it

`stand.started` runs the work of one of them: `peers.py fast_bitrix24|b24pysdk rows|writes WEBHOOK COUNT`, with the
environment's own Python. They have their default settings, but for progress bars; each makes one call before the
time is taken. b24pysdk speaks HTTPS alone, so the base of its addresses is put right for a portal without.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import urllib.request
import venv
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PACKAGES = {"fast_bitrix24": "fast_bitrix24>=1.8,<1.9", "b24pysdk": "b24pysdk>=1.3,<2"}
LIST, ADD = "crm.deal.list", "crm.deal.add"


def home() -> Path:
    """Where the environment is."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("DECLAREST_PEERS") or Path(cache) / "declarest-peers")


def python() -> str:
    """The environment's Python, empty where it was not made."""
    path = home() / "bin" / "python"
    return str(path) if path.exists() else ""


def setup() -> None:
    """Make the environment."""
    venv.create(home(), with_pip=True, clear=True)
    subprocess.run([python(), "-m", "pip", "install", "--quiet", *PACKAGES.values()], check=True)


def versions() -> Json:
    """The version of each peer in the environment; empty where it was not made."""
    if not python():
        return {}
    said = subprocess.run([python(), __file__, "installed"], check=True, capture_output=True, text=True).stdout
    found: Json = json.loads(said)
    return found


def installed() -> Json:
    """The version of each peer that this Python has."""
    found: Json = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def ready(webhook: str) -> None:
    """Let the drop of the warming call drain, and empty the bucket."""
    time.sleep(0.6)
    urllib.request.urlopen(webhook.partition("/rest/")[0] + "/control", b"{}").close()


def fast_bitrix24(what: str, webhook: str, number: int) -> Json:
    """Rows by `get_all`, writes by `call` with a list."""
    portal = importlib.import_module("fast_bitrix24").Bitrix(webhook)
    portal.verbose = False
    portal.call("user.current", raw=True)
    ready(webhook)
    since = time.perf_counter()
    if what == "rows":
        found = portal.get_all(LIST)
    else:
        found = portal.call(ADD, [{"fields": {"TITLE": f"Deal {one}"}} for one in range(number)])
    return {"seconds": time.perf_counter() - since, "rows": len({str(one) for one in found})}


def b24pysdk(what: str, webhook: str, number: int) -> Json:
    """Rows by `as_list_fast`, writes by `call_batches`."""
    address, _, rest = webhook.partition("/rest/")
    module = importlib.import_module("b24pysdk.api.callers.call_method")
    caller = next(one for one in vars(module).values() if isinstance(one, type) and "_base_url" in vars(one))
    caller._base_url = property(lambda _: f"{address}/rest")  # type: ignore[attr-defined]
    sdk = importlib.import_module("b24pysdk")
    token = sdk.BitrixWebhook(domain=address.partition("//")[2], webhook_token=rest.strip("/"))
    client = sdk.Client(token)
    token.call_method("user.current")
    ready(webhook)
    since = time.perf_counter()
    if what == "rows":
        found = list(client.crm.deal.list().as_list_fast().result)
    else:
        given = [(ADD, {"fields": {"TITLE": f"Deal {one}"}}) for one in range(number)]
        found = token.call_batches(given)["result"]["result"]
    return {"seconds": time.perf_counter() - since, "rows": len({str(one) for one in found})}


def main() -> None:
    """Do what the words say."""
    match sys.argv[1:]:
        case ["setup"]:
            setup()
            print(home(), versions())
        case ["versions"]:
            print(versions() or f"there is none: python {__file__} setup")
        case ["installed"]:
            print(json.dumps(installed()))
        case [peer, what, webhook, number]:
            print(json.dumps({"fast_bitrix24": fast_bitrix24, "b24pysdk": b24pysdk}[peer](what, webhook, int(number))))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
