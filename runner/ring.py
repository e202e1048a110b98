"""The system's keyring, where there is one that works: the extra `keyring`. Each backend fails in a way of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from .errors import CallError

Json = dict[str, Any]


def _backend() -> Any:
    """The keyring, None where there is none or it is not wanted."""
    if os.environ.get("DECLAREST_KEYRING", "").lower() in {"0", "no", "off", "false"}:
        return None
    try:
        import keyring
        from keyring.backends.fail import Keyring as Missing

        return None if isinstance(keyring.get_keyring(), Missing) else keyring
    except Exception:  # noqa: BLE001 - a keyring that can't be loaded, in any way, is none
        return None


def _place(service: str) -> str:
    return f"declarest:{service}"


def get(service: str, name: str) -> Json:
    """The secrets of a profile. Raises CallError where they can't be had."""
    keyring, found = _backend(), None
    said = "this Python has no keyring" if keyring is None else "it holds nothing of that name"
    if keyring is not None:
        try:
            found = json.loads(keyring.get_password(_place(service), name) or "null")
        except Exception as error:  # noqa: BLE001
            said = f"it failed with {type(error).__name__}"  # what a backend says may hold what it was asked for
    if not isinstance(found, dict):
        message = f"the secrets of the profile {name!r} are in the keyring, and can't be had: {said}"
        raise CallError(message, hint=f"unlock it, or sign in again: declarest login {service} {name}")
    return found


def put(service: str, name: str, secrets: Mapping[str, Any]) -> str | None:
    """Keep the secrets of a profile. None where that is done, else why it is not; empty where there is no keyring."""
    keyring, whole = _backend(), json.dumps(dict(secrets))
    if keyring is None:
        return ""
    try:
        keyring.set_password(_place(service), name, whole)
        same = keyring.get_password(_place(service), name) == whole  # some take anything and keep nothing
    except Exception as error:  # noqa: BLE001
        return f"it failed with {type(error).__name__}"
    return None if same else "it keeps nothing"


def drop(service: str, name: str) -> str:
    """Forget the secrets of a profile. Gives what is to be said where they may still be there."""
    keyring = _backend()
    said = "this Python has no keyring"
    if keyring is not None:
        try:
            if keyring.get_password(_place(service), name) is None:
                return ""
            keyring.delete_password(_place(service), name)
        except Exception as error:  # noqa: BLE001
            said = f"it failed with {type(error).__name__}"
        else:
            return ""
    return f"the keyring may still hold {_place(service)} of {name}: {said}"
