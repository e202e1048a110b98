"""The saved connections of a user: settings in `profiles.toml`, secrets apart in the system's keyring or a file.

The secrets stand in `secrets.toml` where there is no keyring: mode 0600, in a folder of 0700, refused when others
can read it. A secret that somebody wrote into `profiles.toml` by hand is read as well; that file is held to the same.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from .errors import CallError, did_you_mean, nearest
from .folders import folder

Json = dict[str, Any]
SETTINGS, SECRETS = "profiles.toml", "secrets.toml"
KEYRING = "keyring"  # the key of a profile that says where its secrets are
DEFAULT = "default"
PATIENCE = 30.0  # seconds to wait for another program that is writing the same file


def path(name: str = SETTINGS) -> str:
    """The place of a file of profiles."""
    return os.path.join(folder("config"), name)


def names(service: str) -> list[str]:
    """The profiles of a service, in the order of the file."""
    return [name for name, block in read(SETTINGS).get(service, {}).items() if isinstance(block, dict)]


def default(service: str) -> str:
    """The profile that is taken where none is named; empty where there is none."""
    return str(read(SETTINGS).get(service, {}).get(DEFAULT, ""))


def chosen(service: str, name: str | None) -> str:
    """The profile that a call takes: the one named, else DECLAREST_PROFILE, else the default one, else none.

    Raises CallError where there is none of that name.
    """
    wanted = name or os.environ.get("DECLAREST_PROFILE") or ""
    if not os.path.exists(path()):
        if wanted:
            message = f"there is no profile {wanted!r}: {path()} does not exist"
            raise CallError(message, hint=f"declarest login {service} {wanted} makes one, or pass the credentials")
        return ""
    taken = wanted or default(service)
    known = names(service)
    if taken and taken not in known:
        near = did_you_mean(nearest(taken, known))
        message = f"there is no profile {taken!r} for {service}"
        raise CallError(message, hint=near or f"{path()} has {', '.join(known) or 'none'} for {service}")
    return taken


def fields(service: str, name: str) -> Json:
    """The fields of a profile, its secrets among them."""
    if not name:
        return {}
    settings = dict(read(SETTINGS)[service][name])
    where = settings.pop(KEYRING, False)
    return {**settings, **(_ring_secrets(service, name) if where else read(SECRETS).get(service, {}).get(name, {}))}


def settings(service: str, name: str) -> Json:
    """The fields of a profile that stand in the file of settings, and nothing of the keyring's."""
    return {key: value for key, value in read(SETTINGS)[service][name].items() if key != KEYRING}


def read(name: str) -> Json:
    """A file of profiles; nothing where there is none. It may hold secrets, so one that others can read is refused.

    Raises CallError with the line and the column where it is no TOML.
    """
    import tomllib

    place = path(name)
    try:
        if os.name == "posix" and os.stat(place).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CallError(f"{place} can be read by others", hint=f"chmod 600 {place}")
        with open(place, encoding="utf-8") as file:
            data = tomllib.loads(file.read())
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        message = f"{place} is no TOML: {error}"
        raise CallError(message, hint="each profile stands under a line [service.name] of its own") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CallError(f"can't read {place}: {getattr(error, 'strerror', None) or error}") from None
    from .compiler import faults

    misfits = faults(data, "profile")
    if misfits:  # what the grammar says about it would quote a secret
        message = f"{place}: {'.'.join(map(str, misfits[0][0]))} does not fit"
        raise CallError(message, hint='write [service.profile], and under it lines such as name = "text"')
    return data


def save(service: str, name: str, values: Mapping[str, Any], secret: frozenset[str], *, ring: bool) -> str:
    """Keep a connection: its settings and, in the keyring with `ring`, its secrets. Gives where the secrets are.

    The first profile of a service becomes its default one. What else stands in the file stays as it is.
    """
    secrets = {key: value for key, value in values.items() if key in secret}
    block: Json = {key: value for key, value in values.items() if key not in secret}
    kept = bool(secrets) and ring and _into_ring(service, name, secrets)
    with _writing(SECRETS):
        table = read(SECRETS)
        table.setdefault(service, {})[name] = {} if kept else secrets
        _write(SECRETS, _dumped(table))
    with _writing(SETTINGS):
        document = _edited()
        table = document.setdefault(service, {})
        table.setdefault(DEFAULT, name)
        table[name] = {**block, KEYRING: True} if kept else block
        _write(SETTINGS, document.as_string())
    return "the keyring" if kept else path(SECRETS)


def renew(service: str, name: str, secrets: Mapping[str, Any]) -> None:
    """Keep new values of some secrets, where they are kept. What is kept is whole at any moment."""
    if read(SETTINGS)[service][name].get(KEYRING):
        from .errors import RunnerError

        whole = {**_ring_secrets(service, name), **secrets}
        if not _into_ring(service, name, whole):
            raise RunnerError("the keyring did not take the renewed secrets", hint="look whether it is unlocked")
        return
    with _writing(SECRETS):
        table = read(SECRETS)
        table.setdefault(service, {}).setdefault(name, {}).update(secrets)
        _write(SECRETS, _dumped(table))


def remove(service: str, name: str) -> None:
    """Forget a connection, its secrets first."""
    if read(SETTINGS)[service][name].get(KEYRING):
        _out_of_ring(service, name)
    with _writing(SECRETS):
        table = read(SECRETS)
        table.get(service, {}).pop(name, None)
        _write(SECRETS, _dumped(table))
    with _writing(SETTINGS):
        document = _edited()
        document[service].pop(name, None)
        if document[service].get(DEFAULT) == name:
            document[service].pop(DEFAULT)
        _write(SETTINGS, document.as_string())


def set_default(service: str, name: str) -> None:
    """Make a profile the one that is taken where none is named."""
    with _writing(SETTINGS):
        document = _edited()
        document[service][DEFAULT] = name
        _write(SETTINGS, document.as_string())


@dataclass(slots=True)
class Kept:
    """The account of a profile: renewed by one program at a time, and kept for all of them."""

    service: str
    name: str
    saver: Callable[[Json], Any] | None = None

    def lock(self) -> Callable[[], None] | None:
        """The right to renew it, among all programs of this machine; None where another one has it."""
        return _lock(f"renew.{self.service}.{self.name}", 0.0)

    def fresh(self) -> Mapping[str, Any]:
        """Its fields as they are kept now. Raises CallError where somebody has removed it."""
        if self.name not in names(self.service):
            message = f"the profile {self.name!r} was removed meanwhile"
            raise CallError(message, hint=f"sign in again: declarest login {self.service} {self.name}")
        return fields(self.service, self.name)

    def save(self, values: Json) -> Any:
        """Keep what a renewal brought; then tell whoever wants to know."""
        renew(self.service, self.name, values)
        return self.saver(values) if self.saver else None


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """The right to write a file, among all programs of this machine."""
    _make_folder()
    release = _lock(name, PATIENCE)
    if release is None:
        raise CallError(f"another program holds {path(name)}", hint="try again when it has ended")
    try:
        yield
    finally:
        release()


def _lock(name: str, patience: float) -> Callable[[], None] | None:
    """A lock that ends with its process, whatever happens to that: an open transaction of SQLite."""
    import hashlib
    import sqlite3

    mark = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    try:
        _make_folder()
        held = sqlite3.connect(path(f".{mark}.lock"), timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            held.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            held.close()
            if "locked" in str(error):
                return None
            raise
    except sqlite3.Error as error:
        raise CallError(f"can't write in {folder('config')}: {error}", hint="profiles can't be kept there") from None
    return held.close


def _make_folder() -> None:
    try:
        os.makedirs(folder("config"), mode=0o700, exist_ok=True)
        if os.name == "posix" and os.stat(folder("config")).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            os.chmod(folder("config"), stat.S_IRWXU)
    except OSError as error:
        message = f"can't make the folder {folder('config')}: {error.strerror}"
        raise CallError(message, hint="set DECLAREST_CONFIG_DIR to a folder of yours") from None


def _write(name: str, text: str) -> None:
    """Write a file whole: what stood there before stays until the new one is on the disk."""
    place = path(name)
    part = f"{place}.{os.getpid()}.part"
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, place)
        with suppress(OSError):  # where a folder can't be opened it needs no flushing
            handle = os.open(folder("config"), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        with suppress(OSError):
            os.unlink(part)
        message = f"can't write {place}: {error.strerror}"
        raise CallError(message, hint="set DECLAREST_CONFIG_DIR to a folder that can be written") from None


def _edited() -> Any:
    """The file of settings as a document whose comments and order stay."""
    import tomlkit

    read(SETTINGS)  # what is wrong with it is said in our words
    try:
        with open(path(), encoding="utf-8") as file:
            return tomlkit.parse(file.read())
    except FileNotFoundError:
        return tomlkit.document()


def _dumped(table: Json) -> str:
    """A table of secrets as TOML. JSON's way of writing text is one of TOML's."""
    lines = ["# Secrets of declarest's profiles. Nobody else may read this file."]
    for service, profiles in table.items():
        for name, block in profiles.items():
            if block:
                lines += ["", f"[{_quoted(service)}.{_quoted(name)}]"]
                lines += [f"{_quoted(key)} = {_quoted(value)}" for key, value in block.items()]
    return "\n".join([*lines, ""])


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def ring() -> Any:
    """The system's keyring, where there is one that works: the extra `keyring`."""
    if os.environ.get("DECLAREST_KEYRING", "").lower() in {"0", "no", "off", "false"}:
        return None
    try:
        import keyring
        from keyring.backends.fail import Keyring as Missing

        return None if isinstance(keyring.get_keyring(), Missing) else keyring
    except Exception:  # noqa: BLE001 - a keyring that can't be loaded, in any way, is none
        return None


def _ring_secrets(service: str, name: str) -> Json:
    found = None
    said = "this Python has no keyring"
    keyring = ring()
    if keyring is not None:
        try:
            found = keyring.get_password(f"declarest:{service}", name)
            said = "it holds nothing of that name"
        except Exception as error:  # noqa: BLE001 - each backend raises its own
            said = f"{type(error).__name__}: {error}"
    if found is None:
        message = f"the secrets of the profile {name!r} are in the keyring, and can't be had: {said}"
        raise CallError(message, hint=f"unlock it, or sign in again: declarest login {service} {name}")
    secrets: Json = json.loads(found)
    return secrets


def _into_ring(service: str, name: str, secrets: Json) -> bool:
    keyring = ring()
    if keyring is None:
        return False
    try:
        keyring.set_password(f"declarest:{service}", name, json.dumps(secrets))
    except Exception:  # noqa: BLE001 - each backend raises its own; the file takes them
        return False
    return True


def _out_of_ring(service: str, name: str) -> None:
    keyring = ring()
    if keyring is not None:
        with suppress(Exception):  # it may be gone already
            keyring.delete_password(f"declarest:{service}", name)
