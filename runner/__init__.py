"""Call REST methods that are described in YAML.

The map, from the ground up; a module imports only from the lines above its own:

    errors  discretion                      everything that can go wrong, by who must act; what tracebacks may hold
    document  template  query  folders      texts of YAML, of addresses, of answers; places on the disk
    node  bucket  draft                     nodes of schemas; the arithmetic of limits; the texts of new files
    refusal  limit                          errors and limits as they are declared
    spec  index  search  dialects           a service and a method as frozen values; the compiled catalogue, searched
    remote  lease  ledger                   what is used of the limits: in Redis, on this machine, in this process
    precheck  slips  validation             values against a schema; names that look like slips
    encoding  forms                         values as they are written
    compiler                                folders of YAML made into the compiled catalogue
    strongbox  ring  profiles  settings     who is calling: kept in files, in the keyring, read from everywhere
    catalog  arguments  skeleton            methods by name; words of a line into values; structures to be filled
    request  response  pacing               a call as it is sent, an answer as it is read, the time in between
    output  export                          values and rows as text and as files
    journal  table  columns                 the rows of a bulk run: kept, read, mapped
    auth  renewal  signin  grants           how a call is signed, how what signs it is got, renewed and declared
    paging  batch  fault  lint              pages; calls in one; what is wrong with a file, and where
    pool  target  transport                 connections kept, what they lead to, requests sent over them
    dispatch  flow  pack                    one call as a conversation; many at once; many in one
    sandbox                                 the same YAML from the other side
    plan  rows                              calls checked and planned; all rows of a list
    intake  bulk                            one method called for many rows
    client  aclient                         the library's face, and its async twin
    cli                                     the command's face
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .aclient import AsyncClient
    from .client import Client
    from .errors import (
        AuthError,
        CallError,
        InvalidArguments,
        LimitExceeded,
        MissingCredentials,
        NotReached,
        Problem,
        RunnerError,
        RunnerWarning,
        ServiceError,
        SpecError,
        TransportError,
        UnknownMethod,
    )
    from .request import Request
    from .response import Result

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "AuthError",
    "CallError",
    "Client",
    "InvalidArguments",
    "LimitExceeded",
    "MissingCredentials",
    "NotReached",
    "Problem",
    "Request",
    "Result",
    "RunnerError",
    "RunnerWarning",
    "ServiceError",
    "SpecError",
    "TransportError",
    "UnknownMethod",
]

_HOMES = {
    "AsyncClient": "aclient",
    "Client": "client",
    "Request": "request",
    "Result": "response",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use: a command that needs none of them pays for none of them."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
