from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keyring
import pytest
import tomlkit
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

import runner
from runner import profiles, ring, strongbox
from runner.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = frozenset({"code", "spare"})
HOSTS = frozenset({"host"})
A: dict[str, Any] = {"host": "a.example", "code": "hush-a"}
B: dict[str, Any] = {"host": "b.example", "code": "hush-b"}


class Ring(KeyringBackend):
    """A keyring of the tests: it keeps, forgets what it is given, or fails."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.fails: set[str] = set()
        self.deaf = False

    def _may(self, what: str) -> None:
        if what in self.fails:
            raise KeyringError("hush: locked")

    def get_password(self, service: str, username: str) -> str | None:
        """What is kept."""
        self._may("get")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep."""
        self._may("set")
        if not self.deaf:
            self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget."""
        self._may("delete")
        del self.kept[service, username]


@pytest.fixture
def box(home: Path) -> Path:
    """The folder of the profiles."""
    return home / "config"


@pytest.fixture
def own_ring() -> Iterator[Ring]:
    """A keyring that works."""
    before, made = keyring.get_keyring(), Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def save(name: str = "main", values: dict[str, Any] = A, **more: Any) -> str:
    return profiles.save("toys", name, values, SECRET, **{"ring": False, "hosts": HOSTS, **more})


def fault(call: Any) -> str:
    with pytest.raises(CallError) as caught:
        call()
    assert "hush" not in str(caught.value)
    return str(caught.value)


def write(box: Path, text: str, name: str = "profiles.toml") -> Path:
    box.mkdir(mode=0o700, exist_ok=True)
    path = box / name
    path.write_bytes(text.encode(errors="surrogateescape"))
    path.chmod(0o600)
    return path


def test_settings_and_secrets_stand_apart_and_only_the_owner_reads_them(box: Path) -> None:
    assert save() == str(box / "secrets.toml")
    assert "hush" not in (box / "profiles.toml").read_text()
    assert [oct(path.stat().st_mode & 0o777) for path in (box, box / "profiles.toml", box / "secrets.toml")] == [
        "0o700",
        "0o600",
        "0o600",
    ]
    assert profiles.fields("toys", "main") == A
    assert profiles.settings("toys", "main") == {"host": "a.example"}
    assert profiles.fields("toys", "") == {}
    assert (profiles.services(), profiles.names("toys"), profiles.default("toys")) == (["toys"], ["main"], "main")


def test_a_profile_without_secrets_is_kept_as_well(box: Path) -> None:
    save(values={"host": "a.example"})
    assert profiles.fields("toys", "main") == {"host": "a.example"}
    assert not (box / "secrets.toml").exists()


def test_the_first_profile_becomes_the_default_until_another_is_made_it() -> None:
    save("one")
    save("two", B)
    assert profiles.chosen("toys", None) == "one"
    profiles.set_default("toys", "two")
    assert profiles.chosen("toys", None) == "two"
    assert fault(lambda: profiles.set_default("toys", "tow")).endswith("did you mean two?")


def test_a_profile_is_not_replaced_unless_that_is_meant() -> None:
    save()
    assert fault(lambda: save(values=B, replace=False)) == "toys has a profile 'main' already; --force takes its place"
    save(values=B)
    assert profiles.fields("toys", "main") == B


def test_what_is_forgotten_is_gone_and_of_two_the_other_becomes_the_default(box: Path) -> None:
    for name in ("one", "two", "three"):
        save(name)
    assert profiles.remove("toys", "one") == ""
    assert profiles.default("toys") == ""
    profiles.set_default("toys", "two")
    profiles.remove("toys", "three")
    assert profiles.default("toys") == "two"
    save("four")
    profiles.remove("toys", "two")
    assert profiles.default("toys") == "four"
    profiles.remove("toys", "four")
    assert (profiles.services(), (box / "secrets.toml").read_text().count("\n")) == ([], 1)
    assert "hush" not in "".join(path.read_text() for path in box.glob("*.toml"))
    assert fault(lambda: profiles.remove("toys", "four")).startswith("there is no profile 'four' for toys")


@pytest.mark.parametrize("name", ["with blanks", "имя", "a.b", 'a"b', "a'b", "#", "[x]", "Main", "a=b", "\\"])
def test_a_profile_may_be_called_almost_anything(name: str) -> None:
    save("main", B)
    save(name)
    profiles.renew("toys", name, {"code": "hush-2"})
    assert profiles.fields("toys", name) == A | {"code": "hush-2"}
    profiles.remove("toys", name)
    assert profiles.names("toys") == ["main"]


@pytest.mark.parametrize("name", ["", " ", " a", "a,b", "-a", "a\nb", "\udcff", "default"])
def test_some_names_are_refused(name: str) -> None:
    assert "can't be called" in fault(lambda: save(name))


def test_comments_and_order_stay(box: Path) -> None:
    path = write(box, "# mine\n[toys.old]\nhost = 'o.example' # here\n\n[other.x]\nkey = 'k'\n")
    save()
    assert path.read_text().startswith("# mine\n[toys]\ndefault = \"main\"\n\n[toys.old]\nhost = 'o.example' # here\n")
    assert tomllib.loads(path.read_text())["other"] == {"x": {"key": "k"}}
    profiles.remove("toys", "main")
    assert "host = 'o.example' # here" in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "[toys.x]\nhost = '1'\n[other.x]\nkey = 'k'\n[toys.z]\nhost = '2'\n",
        "toys = {x = {host = '1'}}\n",
        "\ufeff[toys.x]\r\nhost = '1'\r\n",
    ],
)
def test_tables_in_any_order_and_form_are_edited(text: str, box: Path) -> None:
    write(box, text)
    save()
    assert profiles.settings("toys", "x") == {"host": "1"}
    assert profiles.fields("toys", "main") == A
    profiles.remove("toys", "main")
    assert profiles.settings("toys", "x") == {"host": "1"}


@pytest.mark.parametrize("parsed", ["[other.x]\nkey = 'k'\n", None])
def test_a_form_that_cannot_be_edited_stays_as_it_is(
    parsed: str | None, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "[toys.x]\nhost = '1'\n"
    path, read = write(box, text), tomlkit.parse
    monkeypatch.setattr(tomlkit, "parse", lambda _: read(parsed) if parsed else [])
    assert fault(save).startswith(f"{path} is written in a form that can't be edited; write each profile under")
    assert path.read_text() == text
    assert not (box / "secrets.toml").exists()


def test_a_file_written_by_hand_may_hold_secrets(box: Path) -> None:
    path = write(box, "[toys.x]\nhost = 'h.example'\ncode = 'hush'\n")
    assert profiles.fields("toys", "x") == {"host": "h.example", "code": "hush"}
    assert profiles.place("toys", "x", "code") == str(path)
    profiles.renew("toys", "x", {"code": "hush-2"})
    assert profiles.fields("toys", "x")["code"] == "hush-2"
    assert profiles.place("toys", "x", "code") == str(box / "secrets.toml")


def test_secrets_are_given_out_for_the_host_that_they_were_saved_for_alone(box: Path) -> None:
    save()
    path = box / "profiles.toml"
    path.write_text(path.read_text().replace("a.example", "A.Example"))
    assert profiles.fields("toys", "main")["code"] == "hush-a"
    path.write_text(path.read_text().replace("A.Example", "evil.example"))
    assert fault(lambda: profiles.fields("toys", "main")) == (
        f"the secrets of the profile 'main' were saved for a.example, and {path} says host = evil.example; "
        "sign in there: declarest login toys main; or write it as it was"
    )
    path.write_text("[toys.main]\n")
    assert "says host = nothing" in fault(lambda: profiles.fields("toys", "main"))
    save("bare", {"code": "hush"})
    path.write_text(path.read_text() + "host = 'evil.example'\n")
    assert "were saved for no such host" in fault(lambda: profiles.fields("toys", "bare"))


def test_a_login_in_the_middle_of_a_reading_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    save()
    before = [profiles._fields("toys", "main")[0], None]
    save(values=B)
    found, real = before, profiles._fields

    def torn(service: str, name: str) -> tuple[Any, Any]:
        block, secrets = real(service, name)
        return found.pop(0) or block, secrets

    monkeypatch.setattr(profiles, "_fields", torn)
    assert profiles.fields("toys", "main") == B


def test_a_renewal_for_another_account_is_refused() -> None:
    save()
    kept = profiles.Kept("toys", "main", hosts={"host": "a.example"})
    assert kept.fresh() == A
    kept.save({"code": "hush-2"})
    save(values=B)
    for call in (kept.fresh, lambda: kept.save({"code": "hush-3"})):
        assert fault(call) == (
            "the profile 'main' of toys was a.example and is b.example now; another program has signed in; start again"
        )
    assert profiles.fields("toys", "main") == B
    profiles.remove("toys", "main")
    assert fault(kept.fresh) == "the profile 'main' was removed meanwhile; sign in again: declarest login toys main"


def test_whoever_wants_to_know_is_told_of_a_renewal() -> None:
    save()
    told: list[Any] = []
    profiles.Kept("toys", "main", told.append).save({"code": "hush-2"})
    assert told == [{"code": "hush-2"}]


def test_one_at_a_time_renews() -> None:
    one, two = profiles.Kept("toys", "main"), profiles.Kept("toys", "main")
    release = one.lock()
    assert release is not None
    assert two.lock() is None
    other = profiles.Kept("toys", "other").lock()
    assert other is not None
    other()
    release()
    again = two.lock()
    assert again is not None
    again()


LOGIN = """
import sys
from runner import profiles
for n in range(5):
    values = {"host": "h", "code": f"c{sys.argv[1]}"}
    profiles.save("toys", f"{sys.argv[1]}-{n}", values, frozenset({"code"}), ring=False)
"""


def test_logins_of_eight_processes_lose_nothing(box: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(runner.__file__).parents[1])}
    running = [subprocess.Popen([sys.executable, "-c", LOGIN, str(n)], env=env) for n in range(8)]
    assert [one.wait(60) for one in running] == [0] * 8
    assert sorted(profiles.names("toys")) == sorted(f"{n}-{m}" for n in range(8) for m in range(5))
    assert all(profiles.fields("toys", f"{n}-4")["code"] == f"c{n}" for n in range(8))
    assert not list(box.glob("*.part"))


def test_secrets_go_to_the_keyring_where_there_is_one(own_ring: Ring, box: Path) -> None:
    assert save(ring=True) == "the keyring"
    assert not (box / "secrets.toml").exists()
    assert profiles.fields("toys", "main") == A
    assert profiles.place("toys", "main", "code") == "the keyring"
    profiles.renew("toys", "main", {"code": "hush-2"})
    assert json.loads(own_ring.kept["declarest:toys", "main"]) == {"code": "hush-2", "@host": "a.example"}
    assert profiles.remove("toys", "main") == ""
    assert own_ring.kept == {}


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("deaf", ", since the keyring did not take them: it keeps nothing"),
        ("set", ", since the keyring did not take them: it failed with KeyringError"),
        ("off", ""),
    ],
)
def test_a_keyring_that_does_not_keep_leaves_it_to_the_file(
    how: str, why: str, own_ring: Ring, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_ring.deaf, own_ring.fails = how == "deaf", {how}
    if how == "off":
        monkeypatch.setenv("DECLAREST_KEYRING", "0")
    assert save(ring=True) == f"{box / 'secrets.toml'}{why}"
    assert profiles.fields("toys", "main") == A


def test_a_keyring_that_is_locked_is_told_by_name(own_ring: Ring) -> None:
    save(ring=True)
    own_ring.fails = {"get"}
    assert fault(lambda: profiles.fields("toys", "main")) == (
        "the secrets of the profile 'main' are in the keyring, and can't be had: it failed with KeyringError; "
        "unlock it, or sign in again: declarest login toys main"
    )
    own_ring.fails = set()
    own_ring.kept.clear()
    assert "it holds nothing of that name" in fault(lambda: profiles.fields("toys", "main"))
    assert profiles.remove("toys", "main") == ""


def test_a_renewal_that_the_keyring_does_not_take_is_kept_in_the_file(own_ring: Ring, box: Path) -> None:
    save(ring=True)
    own_ring.fails = {"set"}
    profiles.renew("toys", "main", {"code": "hush-2"})
    assert profiles.fields("toys", "main") == A | {"code": "hush-2"}
    assert profiles.place("toys", "main", "code") == str(box / "secrets.toml")


def test_what_the_keyring_had_is_dropped_when_the_file_takes_its_place(own_ring: Ring) -> None:
    save(ring=True)
    save(ring=False)
    assert own_ring.kept == {}
    save(ring=True)
    own_ring.fails = {"delete"}
    assert profiles.remove("toys", "main") == (
        "the keyring may still hold declarest:toys of main: it failed with KeyringError"
    )
    assert profiles.names("toys") == []


def test_without_a_keyring_what_is_in_it_cannot_be_had(own_ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    save(ring=True)
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "this Python has no keyring" in fault(lambda: profiles.fields("toys", "main"))
    assert "this Python has no keyring" in ring.drop("toys", "main")
    assert ring.put("toys", "main", {}) == ""


def test_a_keyring_without_a_backend_is_none() -> None:
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    try:
        assert ring.put("toys", "main", {}) == ""
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[toys.x]\nhost = 'hush", ":2:13 is no TOML: "),
        ("[toys.x]\ncode = hush\n", ":2:8 is no TOML: "),
        ("[toys.x]\n[toys.x] # hush\n", ":2:8: [toys.x] stands twice; rename one of the two, or remove it"),
        ("[toys.x]\na = 'hush'\na = 'hush'\n", "one name stands twice"),
        ("# hush\n\n  code = 'hush'\n", ":3:3: code does not fit; write [service.profile]"),
        ("[toys]\nx.a = 'b'\ncode = 'hush'\n", ":3:1: toys.code does not fit"),
        ("[toys.x]\na = 'b'\n[toys.y]\na = ['hush']\n", ":4:1: toys.y.a does not fit"),
        ("toys = {x = {a = ['hush']}}\n", ":1:1: toys.x.a does not fit"),
        ("[toys.'x y']\na = 1\n[toys.z.deep]\na = 'hush'\n", ":3:1: toys.z.deep does not fit"),
        ("[[toys]]\na = 'hush'\n", "profiles.toml: toys does not fit"),
        ('[toys.x]\nb = """\n[x\nz z =\n"""\na = ["hush"]\n', ":6:1: toys.x.a does not fit"),
        ("[toys.x]\r\ncode = 'hush\udcff'\n", ":2:13 is no text in UTF-8; save it in that encoding"),
    ],
)
def test_a_file_with_an_error_is_told_with_its_place(text: str, told: str, box: Path) -> None:
    path = write(box, text)
    found = fault(lambda: profiles.names("toys"))
    assert found.startswith(str(path))
    assert told in found


def test_a_folder_that_cannot_be_made_is_told(box: Path) -> None:
    box.write_text("")
    told = f"can't make the folder {box}: File exists; set DECLAREST_CONFIG_DIR to a folder that can be written"
    assert fault(save) == told


def test_a_folder_that_others_share_is_not_touched(box: Path) -> None:
    box.mkdir()
    box.chmod(0o755)
    (box / "methods").mkdir()
    save()
    assert box.stat().st_mode & 0o777 == 0o700
    (box / "thesis.txt").write_text("")
    box.chmod(0o755)
    save("two")
    assert box.stat().st_mode & 0o777 == 0o755
    box.chmod(0o777)
    assert fault(lambda: save("three")) == f"others can write in {box}; chmod 700 {box}"


def test_a_folder_that_others_can_write_in_is_not_read(box: Path) -> None:
    save()
    for mode in (0o770, 0o702, 0o1777):
        box.chmod(mode)
        assert fault(lambda: profiles.fields("toys", "main")) == f"others can write in {box}; chmod 700 {box}"
    box.chmod(0o755)
    assert profiles.fields("toys", "main") == A


def test_a_file_of_somebody_else_is_told(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save()

    def opens(path: str, *_: Any) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("builtins.open", opens)
    path = box / "profiles.toml"
    assert fault(lambda: profiles.names("toys")) == (
        f"can't read {path}: Permission denied; it must be yours: see ls -l {path}"
    )


def test_on_systems_without_modes_the_folder_is_taken(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box.mkdir()
    box.chmod(0o755)
    monkeypatch.setattr(strongbox, "MODES", False)
    strongbox.make_folder()
    assert box.stat().st_mode & 0o777 == 0o755


def test_a_link_to_a_file_that_is_kept_elsewhere_stays_one(box: Path, tmp_path: Path) -> None:
    box.mkdir(mode=0o700)
    (box / "profiles.toml").symlink_to(tmp_path / "mine.toml")
    save()
    assert (box / "profiles.toml").is_symlink()
    assert "a.example" in (tmp_path / "mine.toml").read_text()


def test_what_a_killed_program_left_is_written_over(box: Path) -> None:
    write(box, "rest", "profiles.toml.part")
    save()
    assert profiles.fields("toys", "main") == A
    assert not (box / "profiles.toml.part").exists()


def test_a_file_that_cannot_be_written_is_told(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    box.mkdir(mode=0o700)
    monkeypatch.setattr(os, "fsync", full)
    place = box / "secrets.toml"
    assert fault(save) == (
        f"can't write {place}: No space left on device; set DECLAREST_CONFIG_DIR to a folder that can be written"
    )
    assert not place.exists()


def test_a_file_that_somebody_is_reading_is_replaced_when_that_is_over(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    real = os.replace

    def replace(part: str, place: str) -> None:
        if not refused:
            refused.append(place)
            raise PermissionError(13, "The process cannot access the file")
        real(part, place)

    monkeypatch.setattr(os, "replace", replace)
    save("work", A)
    assert len(refused) == 1
    assert profiles.fields("toys", "work") == A
    monkeypatch.setattr(strongbox, "READ", -1.0)
    refused.clear()
    with pytest.raises(CallError, match=r"can't write .*: The process cannot access the file"):
        save("home", B)
    assert not list(box.glob("*.part"))


def test_another_program_that_holds_the_files_is_told(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = strongbox.lock("files", 0.0)
    assert release is not None
    monkeypatch.setattr(strongbox, "PATIENCE", 0.0)
    assert fault(save) == f"another program holds the files in {box}; try again when it has ended"
    release()
    for path in box.glob(".*.lock"):
        path.write_text("no database at all, and longer than the head of one would be" * 9)
    assert fault(save).startswith(f"can't write in {box}: ")


def test_a_lock_that_cannot_be_had_at_all_is_told(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = hashlib.blake2b(b"files", digest_size=8).hexdigest()
    (box / f".{mark}.lock").mkdir(parents=True)
    assert fault(save).startswith(f"can't write in {box}: ")
