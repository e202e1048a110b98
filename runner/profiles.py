"""The saved connections of a user: settings in `profiles.toml`, secrets apart in the system's keyring or a file.

The secrets stand in `secrets.toml` where there is no keyring: mode 0600, in a folder of 0700, refused when others
can read it. Beside them stands which hosts they were saved for, and they are given out for no other. A secret that
somebody wrote into `profiles.toml` by hand is read as well; that file is held to the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import ring as keyring
from . import strongbox
from .errors import CallError, did_you_mean, nearest

Json = dict[str, Any]
SETTINGS, SECRETS = "profiles.toml", "secrets.toml"
KEYRING = "keyring"  # the key of a profile that says that its secrets are there
DEFAULT = "default"
_FOR = "@"  # what stands before the name of a field that says which host the secrets are for


def path(name: str = SETTINGS) -> str:
    """The place of a file of profiles."""
    return strongbox.path(name)


def read(name: str) -> Json:
    """A file of profiles; nothing where there is none. It may hold secrets, so one that others can read is refused.

    Raises CallError with the line and the column where it is no TOML.
    """
    from .compiler import faults

    content, place = strongbox.text(name), path(name)
    data = strongbox.parsed(content, place)
    misfits = faults(data, "profile")
    if misfits:  # what the grammar says about it would quote a secret
        keys = [str(key) for key in misfits[0][0]]
        message = f"{place}{strongbox.position(content, keys)}: {'.'.join(keys)} does not fit"
        raise CallError(message, hint='write [service.profile], and under it lines such as name = "text"')
    return data


def services() -> list[str]:
    """The services that have profiles."""
    return [
        service for service, table in read(SETTINGS).items() if any(isinstance(one, dict) for one in table.values())
    ]


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
    if taken and taken not in names(service):
        raise _unknown(service, taken)
    return taken


def _unknown(service: str, name: str) -> CallError:
    known = names(service)
    near = did_you_mean(nearest(name, known))
    hint = near or f"{path()} has {', '.join(known) or 'none'} for {service}"
    return CallError(f"there is no profile {name!r} for {service}", hint=hint)


def settings(service: str, name: str) -> Json:
    """The fields of a profile that stand in the file of settings. Raises CallError where there is no such profile."""
    return {key: value for key, value in _block(service, name).items() if key != KEYRING}


def _block(service: str, name: str) -> Json:
    block = read(SETTINGS).get(service, {}).get(name)
    if not isinstance(block, dict):
        raise _unknown(service, name)
    return block


def fields(service: str, name: str) -> Json:
    """The fields of a profile, its secrets among them; nothing where no profile is named.

    Raises CallError where the secrets can't be had, or were saved for another host than the settings say.
    """
    if not name:
        return {}
    found = _fields(service, name)
    if _moved(*found):
        found = _fields(service, name)  # another program may have signed in between the two files
    block, secrets = found
    moved = _moved(block, secrets)
    if moved:
        now = block.get(moved) or "nothing"
        message = f"the secrets of the profile {name!r} were saved for {secrets[_FOR + moved] or 'no such host'}"
        message += f", and {path()} says {moved} = {now}"
        raise CallError(message, hint=f"sign in there: declarest login {service} {name}; or write it as it was")
    return {**block, **{key: value for key, value in secrets.items() if not key.startswith(_FOR)}}


def _fields(service: str, name: str) -> tuple[Json, Json]:
    block = _block(service, name)
    settings = {key: value for key, value in block.items() if key != KEYRING}
    return settings, _secrets(service, name, block)


def _secrets(service: str, name: str, block: Json) -> Json:
    """The secrets of a profile and the hosts that they are for."""
    return keyring.get(service, name) if block.get(KEYRING) else dict(read(SECRETS).get(service, {}).get(name, {}))


def _moved(block: Json, secrets: Json) -> str:
    """The field of a host for which the secrets were not saved."""
    hosts = [key.removeprefix(_FOR) for key in secrets if key.startswith(_FOR)]
    return next((key for key in hosts if str(block.get(key, "")).lower() != secrets[_FOR + key].lower()), "")


def place(service: str, name: str, key: str) -> str:
    """Where a field of a profile stands: the path of a file, or the keyring."""
    block = _block(service, name)
    if key in read(SECRETS).get(service, {}).get(name, {}) and not block.get(KEYRING):
        return path(SECRETS)
    return path() if key in block else "the keyring"


def demand_name(name: str) -> None:
    """Refuse a name that a profile can't have. Raises CallError."""
    if not name.strip() or name != name.strip() or not name.isprintable() or name.startswith("-") or "," in name:
        message = f"a profile can't be called {name!r}"
        raise CallError(message, hint="a name has no commas, no blanks around it, and does not begin with -")
    if name == DEFAULT:
        raise CallError("a profile can't be called default", hint="declarest profiles default makes one the default")


def save(  # noqa: PLR0913 - a profile and how it is kept
    service: str,
    name: str,
    values: Mapping[str, Any],
    secret: frozenset[str],
    *,
    ring: bool,
    hosts: frozenset[str] = frozenset(),
    replace: bool = True,
) -> str:
    """Keep a connection: its settings and, in the keyring with `ring`, its secrets. Gives where the secrets are.

    `hosts` are the fields that say for which hosts the secrets are. The first profile of a service becomes its
    default one. What else stands in the file stays as it is. Raises CallError where there is one of that name
    and it is not to be replaced.
    """
    demand_name(name)
    secrets = {key: value for key, value in values.items() if key in secret}
    block: Json = {key: value for key, value in values.items() if key not in secret}
    if secrets:
        secrets |= {_FOR + host: str(values.get(host, "")) for host in sorted(hosts)}
    with strongbox.writing():
        old = read(SETTINGS).get(service, {}).get(name)
        if old is not None and not replace:
            raise CallError(f"{service} has a profile {name!r} already", hint="--force takes its place")
        _edited(
            lambda data: _put(data, service, name, block)
        )  # whether it can be edited is known before anything is kept
        trouble = keyring.put(service, name, secrets) if secrets and ring else ""
        kept = trouble is None
        whole = {**block, KEYRING: True} if kept else block
        _keep(service, name, {} if kept else secrets)
        strongbox.write(SETTINGS, _edited(lambda data: _put(data, service, name, whole)))
        if old and old.get(KEYRING) and not kept:
            keyring.drop(service, name)
    why = f", since the keyring did not take them: {trouble}" if trouble else ""
    return "the keyring" if kept else f"{path(SECRETS)}{why}"


def _put(data: Any, service: str, name: str, block: Json) -> None:
    table = data.setdefault(service, {})
    if str(table.get(DEFAULT, "")) not in table:
        table[DEFAULT] = name
    table[name] = block


def _keep(service: str, name: str, secrets: Json) -> None:
    """Have the file of secrets hold these of a profile, and no others of it."""
    table = read(SECRETS)
    if secrets or table.get(service, {}).get(name):  # the same ones are written too: that shows that it can be done
        table.setdefault(service, {})[name] = secrets
        strongbox.write(SECRETS, _dumped(table))


def renew(service: str, name: str, secrets: Mapping[str, Any], hosts: Mapping[str, Any] | None = None) -> None:
    """Keep new values of some secrets, where they are kept. What is kept is whole at any moment.

    Raises CallError where the profile is of other `hosts` by now. A keyring that does not take them gives them
    to the file, since what was kept before is used up.
    """
    with strongbox.writing():
        block = _block(service, name)
        _demand_same(service, name, block, hosts or {})
        whole = {**_secrets(service, name, block), **secrets}
        if block.get(KEYRING) and keyring.put(service, name, whole) is None:
            return
        _keep(service, name, whole)
        if block.pop(KEYRING, False):
            strongbox.write(SETTINGS, _edited(lambda data: data[service][name].pop(KEYRING)))


def _demand_same(service: str, name: str, block: Mapping[str, Any], hosts: Mapping[str, Any]) -> None:
    """Refuse what is of another account than this one."""
    for key, value in hosts.items():
        if str(block.get(key, value)).lower() != str(value).lower():
            message = f"the profile {name!r} of {service} was {value} and is {block[key]} now"
            raise CallError(message, hint="another program has signed in; start again")


def remove(service: str, name: str) -> str:
    """Forget a connection, its secrets first. Gives what is to be said where the keyring may still hold them."""
    with strongbox.writing():
        block = _block(service, name)
        edited = _edited(lambda data: _drop(data, service, name))
        trouble = keyring.drop(service, name) if block.get(KEYRING) else ""
        _keep(service, name, {})
        strongbox.write(SETTINGS, edited)
    return trouble


def _drop(data: Any, service: str, name: str) -> None:
    """Take a profile out; of two the other one becomes the default."""
    table = data[service]
    table.pop(name)
    left = [key for key, block in table.items() if isinstance(block, dict)]
    if not left:
        data.pop(service)
    elif table.get(DEFAULT, name) == name:
        table.pop(DEFAULT, None)
        if len(left) == 1:
            table[DEFAULT] = left[0]


def set_default(service: str, name: str) -> None:
    """Make a profile the one that is taken where none is named."""
    with strongbox.writing():
        _block(service, name)
        strongbox.write(SETTINGS, _edited(lambda data: data[service].__setitem__(DEFAULT, name)))


@dataclass(slots=True)
class Kept:
    """The account of a profile: renewed by one program at a time, and kept for all of them.

    `hosts` are the hosts that it was read for; what another program has kept under its name for others is not taken.
    """

    service: str
    name: str
    saver: Callable[[Json], Any] | None = None
    hosts: Mapping[str, Any] = field(default_factory=dict)

    def lock(self) -> Callable[[], None] | None:
        """The right to renew it, among all programs of this machine; None where another one has it."""
        return strongbox.lock(f"renew.{self.service}.{self.name}", 0.0)

    def fresh(self) -> Mapping[str, Any]:
        """Its fields as they are kept now. Raises CallError where somebody has removed it."""
        if self.name not in names(self.service):
            message = f"the profile {self.name!r} was removed meanwhile"
            raise CallError(message, hint=f"sign in again: declarest login {self.service} {self.name}")
        found = fields(self.service, self.name)
        _demand_same(self.service, self.name, found, self.hosts)
        return found

    def rehearse(self) -> None:
        """Write the secrets as they are. What can't be written is to be known before they are used up."""
        renew(self.service, self.name, {}, self.hosts)

    def save(self, values: Json) -> Any:
        """Keep what a renewal brought; then tell whoever wants to know."""
        renew(self.service, self.name, values, self.hosts)
        return self.saver(values) if self.saver else None


def _edited(change: Callable[[Any], object]) -> str:
    """The file of settings with a change made; comments and order stay.

    Raises CallError where it is written in a form that can't be edited without breaking it.
    """
    import tomlkit

    written, expected = strongbox.text(SETTINGS), read(SETTINGS)
    change(expected)
    try:
        document = tomlkit.parse(written)
        change(document)
        result = str(document.as_string())
        same = strongbox.parsed(result, path()) == expected
    except Exception:  # noqa: BLE001 - whatever the library meets in a form that it does not know
        same = False
    if not same:
        message = f"{path()} is written in a form that can't be edited"
        raise CallError(message, hint="write each profile under a line [service.name] of its own")
    return result


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
