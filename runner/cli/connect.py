"""The client that a line asks for: whose account, how it is reached, what is checked. All commands share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..client import Client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..catalog import Catalog
    from ..renewal import Saver
    from .words import Line

REACH = ("--profile", "--methods", "--lang", "--timeout", "--no-check", "--insecure", "--ca-bundle", "--verbose")
OPTIONS = (*REACH, "--sandbox", "--state")


def connect(  # noqa: PLR0913 - the line, and what a command knows beside it
    line: Line,
    methods: Catalog,
    service: str,
    credentials: Mapping[str, Any],
    profile: str | None = None,
    saver: Saver | None = None,
) -> Client:
    """A client of a service by the options of a line.

    `profile` takes the place of the line's own; an empty one is none, so that nothing counts but `credentials`.
    The sandbox is given none of these: it has its own. `saver` is told what was renewed.
    """
    sandbox = line.on("--sandbox")
    return Client(
        service,
        profile=(line.get("--profile") or None) if profile is None else profile,
        sandbox=(line.get("--state") or True) if sandbox else False,
        methods=methods,
        timeout=line.number("--timeout", 60.0),
        check=not line.on("--no-check"),
        insecure=line.on("--insecure"),
        ca_bundle=line.get("--ca-bundle") or None,
        token_saver=saver,
        **({} if sandbox else credentials),
    )
