"""`login`, `profiles` and `logout`, with a service on this machine, a browser that is a function, and a terminal."""

from __future__ import annotations

import getpass
import io
import os
import pty
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

import runner
from runner import profiles, signin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., Any]

SERVICE = """\
spec: 1
service: vault
title: Vault
profile:
  properties:
    scheme: {enum: [https, http], default: http}
    server: {type: string, format: hostname, description: Host of the vault}
    code: {type: string, minLength: 3, writeOnly: true}
    token: {type: string, minLength: 3, writeOnly: true, description: Opens it}
    spare: {type: string, writeOnly: true}
    app: {type: string, description: Id of the application}
    app_key: {type: string, writeOnly: true, description: Key of the application}
    ends: {type: integer}
  accept: {url: ["{scheme}://{server}/in/{code}/", "{scheme}://{server}/", "{server}"]}
  whoami: {method: me, show: name, scopes: rights}
  help: Ask the keeper
auth:
  link: {title: link, needs: [server, code], base: "{scheme}://{server}/in/{code}/"}
  token:
    title: token
    needs: [server, token]
    base: "{scheme}://{server}/api/"
    send: {header: {Authorization: "Bearer {token}"}}
    renew:
      on: [OLD]
      needs: [app, app_key, spare]
      method: exchange
      params: {want: spare, app: "{app}", key: "{app_key}", spare: "{spare}"}
      keep: {token: now, spare: next, ends: ends}
    login:
      needs: [server, app, app_key]
      page: "{scheme}://{server}/let-in?app={app}&mark={state}&back={listen}"
      listen: "http://127.0.0.1:0/back"
      back: {word: word, state: mark, server: house}
      method: exchange
      params: {want: word, app: "{app}", key: "{app_key}", word: "{word}"}
      keep: {token: now, spare: next, ends: ends}
  gate: {title: gate, apart: true, base: "{scheme}://{server}/"}
request: {verb: POST, path: "{method}", in: body}
response: {result: result, error: {when: error, code: error, message: text}}
errors: {OLD: {kind: auth, rejected: true}, NO: {kind: auth, rejected: true, hint: Look again}}
retry: {tries: 1}
"""
EXCHANGE = """\
method: exchange
summary: Get a token
effect: write
auth: [gate]
params:
  want: {type: string}
  app: {type: string}
  key: {type: string, writeOnly: true}
  word: {type: string, writeOnly: true}
  spare: {type: string, writeOnly: true}
"""
ME = {"result": {"name": "Ann\x1b[31m Ash"}}
RIGHTS = {"result": ["read", "write"]}
TOKENS = {"result": {"now": "hush-token", "next": "hush-spare", "ends": 2_000_000_000}}


@pytest.fixture(autouse=True)
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service that can be signed in to in three ways, and no keyring."""
    folder = tmp_path / "vaults" / "vault"
    folder.mkdir(parents=True)
    (folder / "_service.yaml").write_text(SERVICE)
    (folder / "exchange.yaml").write_text(EXCHANGE)
    for name in ("me", "rights"):
        (folder / f"{name}.yaml").write_text(f"method: {name}\nsummary: Say it\neffect: read\n")
    monkeypatch.setenv("DECLAREST_METHODS", str(folder.parent))
    monkeypatch.setenv("DECLAREST_KEYRING", "0")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    return folder


@pytest.fixture
def host(site: Any) -> str:
    """Host and port of the site."""
    return str(urlsplit(site.url).netloc)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Callable[[], list[httpx.Response]]]]:
    """A browser whose person goes where `act` says that the page leads. It gives what tells what was seen there."""
    threads: list[threading.Thread] = []

    def opens(act: Callable[[str, str], list[str]]) -> Callable[[], list[httpx.Response]]:
        seen: list[httpx.Response] = []

        def visit(address: str) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
            seen.extend(httpx.get(one) for one in act(query["back"], query["mark"]))

        def opened(address: str) -> bool:
            threads.append(threading.Thread(target=visit, args=(address,)))
            threads[-1].start()
            return True

        monkeypatch.setattr(webbrowser, "open", opened)
        monkeypatch.setenv("DISPLAY", ":0")

        def told() -> list[httpx.Response]:
            for thread in threads:
                thread.join(10)
            return seen

        return told

    yield opens
    for thread in threads:
        thread.join(10)


def kept(name: str = "main") -> dict[str, Any]:
    return profiles.fields("vault", name)


def test_a_pasted_address_is_checked_and_kept(line: Run, site: Any, host: str) -> None:
    site.say(ME, RIGHTS)
    said = line("login", "vault", "--url", f"{site.url}/in/hush/")
    assert said == (
        0,
        f"Vault: Ann\ufffd[31m Ash at {host}, by link\nscopes: read, write\nsaved as the profile main of vault, "
        f"the default one; its secrets are in {profiles.path('secrets.toml')}\n",
        "",
    )
    assert kept() == {"server": host, "code": "hush"}
    assert [one.path for one in site.asked] == ["/in/hush/me", "/in/hush/rights"]


@pytest.mark.parametrize("way", ["pipe", "flag", "file", "environment"])
def test_a_secret_needs_no_place_on_the_line(
    way: str, line: Run, site: Any, typing: Any, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{site.url}/in/hush/"
    site.say(ME, RIGHTS)
    (desk / "address").write_text(address)
    typing(f" {address}\n".encode() if way in {"pipe", "flag"} else b"")
    if way == "environment":
        monkeypatch.setenv("DECLAREST_VAULT_URL", address)
    words = {"flag": ["--url", "-"], "file": ["--url=@address"]}.get(way, [])
    assert line("login", "vault", "own", *words).code == 0
    assert kept("own")["code"] == "hush"


def test_what_does_not_work_is_not_kept_unless_that_is_wanted(line: Run, site: Any) -> None:
    words = ["login", "vault", "--url", f"{site.url}/in/hush/"]
    site.say({"error": "NO", "text": "hush is wrong"})
    said = line(*words)
    assert said == (
        3,
        "",
        "error: NO: this connection does not work, and is not saved: *** is wrong; Look again; "
        "--no-check saves it all the same\n",
    )
    assert profiles.services() == []
    assert line(*words, "--no-check").code == 0
    assert len(site.asked) == 1


def test_scopes_that_may_not_be_asked_for_are_left_out(line: Run, site: Any) -> None:
    for number, answer in enumerate(({"error": "NO", "text": "no"}, {"result": 5})):
        site.say({"result": {"name": None}}, answer)
        said = line("login", "vault", f"p{number}", "--url", f"{site.url}/in/hush/", "--output", "json")
        assert (said.data["scopes"], said.data["who"], said.data["kind"]) == (None, None, "link")


def test_a_service_that_says_no_harmless_call_is_not_checked(line: Run, vault: Path, site: Any) -> None:
    text = SERVICE.replace("{method: me, show: name, scopes: rights}", "{method: me}")
    (vault / "_service.yaml").write_text(text)
    site.say(ME)
    assert line("login", "vault", "--url", f"{site.url}/in/hush/").out.startswith('Vault: {"name":"Ann')
    (vault / "_service.yaml").write_text(text.replace("  whoami: {method: me}\n", ""))
    said = line("login", "vault", "two", "--url", f"{site.url}/in/hush/", "--default")
    assert said.err == "it is not checked: nothing says by which call of Vault that may be done\n"
    assert said.out.endswith(f"two of vault, the default one; its secrets are in {profiles.path('secrets.toml')}\n")


def test_a_profile_is_replaced_only_by_force_where_nobody_can_be_asked(line: Run, site: Any) -> None:
    words = ["login", "vault", "--no-check", "--url"]
    line(*words, f"{site.url}/in/hush-1/")
    said = line(*words, f"{site.url}/in/hush-2/")
    assert said.err.startswith("error: vault has a profile 'main' already; --force replaces it; another name keeps")
    assert kept()["code"] == "hush-1"
    assert line(*words, f"{site.url}/in/hush-2/", "--force").code == 0
    assert kept()["code"] == "hush-2"
    said = line("login", "vault", "--profile", "b", "--no-check", "--url", f"{site.url}/in/hush-2/")
    assert "the profile b of vault; the default one is main;" in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing is given to sign in to Vault, and there is no terminal to ask at; give the flags of one"),
        (["--token", "hush"], "these do not say enough to sign in to Vault"),
        (["a", "b"], "login takes a service and a name, not vault a b; put a name with blanks in quotes"),
        (["a,b"], "a profile can't be called 'a,b'"),
        (["--tokn", "x"], "login has no option --tokn; did you mean --token?"),
        (["--zzz", "x"], "login has no option --zzz; it has --url, --scheme"),
        (["--token"], "--token needs a value; - reads standard input, @file a file"),
        (["-x"], "login has no option -x"),
        (["--all"], "login has no option --all"),
        (["--url", "https://a.example/in/"], "--url https://a.example/… is not an address that Vault has; it looks"),
        (["--url", "\udcff/in/x/"], "--url holds letters that no text has; copy it again"),
    ],
)
def test_a_line_that_does_not_fit_is_told(words: list[str], told: str, line: Run) -> None:
    said = line("login", "vault", *words)
    assert (said.code in {2, 3}, said.out) == (True, "")
    assert said.err.startswith(f"error: {told}")


def test_each_way_is_told_with_its_flags(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert line("login", "vault").err.splitlines()[1:] == [
        "  link: --url -",
        "  token: --server … --token -",
        "  token, by a page in the browser: --server … --app … --app-key -",
        "  Ask the keeper",
    ]
    said = line("login", "vault", "--help")
    assert "--no-browser" in said.out
    assert "token, by a page" in said.out
    assert "Vault:" in line("login", "--help").out
    assert line("login").err.startswith("error: which service?; one of ")


def test_a_service_that_replaces_an_installed_one_is_given_nothing(
    line: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = desk / "methods" / "vault"
    folder.mkdir(parents=True)
    (folder / "_service.yaml").write_text(SERVICE)
    user = desk / "config" / "methods" / "vault"
    user.mkdir(parents=True)
    (user / "_service.yaml").write_text(SERVICE)
    monkeypatch.delenv("DECLAREST_METHODS")
    said = line("login", "vault", "--url", "https://a.example/in/hush/")
    assert "replaces an installed service, so nothing is saved for it; work in another folder" in said.err


def test_a_page_lets_in_and_what_it_yields_is_exchanged_and_kept(line: Run, site: Any, host: str, page: Any) -> None:
    seen = page(lambda back, mark: [back, f"{back}x?a=1", f"{back}?word=hush-word&mark={mark}&house={host}"])
    site.say(TOKENS, ME, RIGHTS)
    said = line("login", "vault", "--server", host, "--app", "a-1", "--app-key", "hush-key")
    assert (said.code, [one.status_code for one in seen()]) == (0, [404, 404, 200])
    assert "You may close this page" in seen()[2].text
    assert "hush" not in said.out + said.err + seen()[2].text
    assert site.asked[0].data == {"want": "word", "app": "a-1", "key": "hush-key", "word": "hush-word"}
    assert site.asked[1].headers["Authorization"] == "Bearer hush-token"
    assert kept() == {
        "server": host,
        "app": "a-1",
        "app_key": "hush-key",
        "token": "hush-token",
        "spare": "hush-spare",
        "ends": 2_000_000_000,
    }
    row = line("profiles", "-o", "json").data[0]
    assert (row["kind"], row["expires"][:4], "hush" in str(row)) == ("token", "2033", False)


def test_a_token_that_is_given_with_what_renews_it_needs_no_page(
    line: Run, site: Any, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.say(ME, RIGHTS)
    words = ["--server", host, "--app", "a-1", "--app-key", "hush-key", "--spare", "hush-spare"]
    said = line("login", "vault", *words, "--token", "hush-token")
    assert (said.code, said.err) == (0, "")
    assert kept() == {"server": host, "app": "a-1", "app_key": "hush-key", "spare": "hush-spare", "token": "hush-token"}
    monkeypatch.setenv("DECLAREST_VAULT_TOKEN", "hush-other")  # what stands nearer says that a page is meant
    monkeypatch.setattr(signin.Listener.wait, "__defaults__", (0.01,))
    assert line("login", "vault", "new", *words).err.startswith("Let it in on this page")


def test_what_the_environment_gives_is_told(line: Run, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAREST_VAULT_URL", f"{site.url}/in/hush/")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"https://other.example/in/hush/")))
    said = line("login", "vault", "--no-check")
    assert (said.code, said.err) == (0, "the environment is taken at its word: DECLAREST_VAULT_URL\n")
    assert line("login", "vault", "new", "--no-check", "--url", f"{site.url}/in/hush/").err == ""


def test_who_has_signed_in_once_says_nothing_twice(line: Run, site: Any, host: str, page: Any) -> None:
    page(lambda back, mark: [f"{back}?word=w&mark={mark}"])
    site.say(TOKENS)
    line("login", "vault", "--no-check", "--server", host, "--app", "a-1", "--app-key", "hush-key")
    site.say({"result": {"now": "hush-again"}})
    assert line("login", "vault", "--no-check").code == 0
    assert kept()["token"] == "hush-again"


@pytest.mark.parametrize(
    ("query", "code", "told"),
    [
        ("?error=denied&mark={mark}", 3, "denied: the token was refused; nothing was saved"),
        ("?error=denied&error_description=Not+<b>&mark={mark}", 3, "denied: Not <b>; nothing was saved"),
        ("?word=w&mark={mark}&house=evil.example", 3, "you were let in at evil.example, and asked for "),
        ("?mark={mark}", 3, "what came back has no word; nothing was exchanged"),
    ],
)
def test_what_comes_back_wrong_is_told_and_nothing_is_exchanged(
    query: str, code: int, told: str, line: Run, site: Any, host: str, page: Any
) -> None:
    seen = page(lambda back, mark: [back + query.format(mark=mark)])
    said = line("login", "vault", "--server", host, "--app", "a", "--app-key", "hush-key")
    assert said.code == code
    assert f"error: {told}" in said.err
    assert site.asked == []
    assert seen()[0].status_code == 400
    assert "<b>" not in seen()[0].text


def test_a_page_of_another_sign_in_is_told_and_ends_nothing(line: Run, site: Any, host: str, page: Any) -> None:
    def act(back: str, mark: str) -> list[str]:
        return [f"{back}?{query}" for query in ("word=evil&mark=wrong", "word=evil", f"word=hush-word&mark={mark}")]

    seen = page(act)
    site.say(TOKENS, ME, RIGHTS)
    said = line("login", "vault", "--server", host, "--app", "a-1", "--app-key", "hush-key")
    assert (said.code, [one.status_code for one in seen()]) == (0, [400, 400, 200])
    told = "error: what came back is not the answer to this sign-in: its state is another one; nothing was exchanged"
    assert told in said.err
    assert "error: what came back has no state, so it may be somebody else's; nothing was exchanged" in said.err
    assert all("still waited for" in one.text and "close this page" not in one.text for one in seen()[:2])
    assert [one.data.get("word") for one in site.asked if "word" in one.data] == ["hush-word"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            {"error": "NO", "text": "too late"},
            "error: NO: the page let you in, and what it gave could not be exchanged",
        ),
        ({"result": {"next": "s"}}, "error: the exchange for the token brought no token"),
    ],
)
def test_an_exchange_that_fails_is_told(answer: Any, told: str, line: Run, site: Any, host: str, page: Any) -> None:
    page(lambda back, mark: [f"{back}?word=w&mark={mark}"])
    site.say(answer)
    said = line("login", "vault", "--server", host, "--app", "a", "--app-key", "hush-key")
    assert told in said.err
    assert profiles.services() == []


@pytest.mark.parametrize("form", ["http://127.0.0.1:1/back?word=w&mark={mark}", "word=w&mark={mark}", "w"])
def test_what_the_browser_can_not_bring_is_pasted(
    form: str, line: Run, site: Any, host: str, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()

    def act(back: str, mark: str) -> list[str]:
        os.write(writing, b"\nhttp://no.example/\n" + form.format(mark=mark).encode())
        os.close(writing)
        return []

    page(act)
    site.say(TOKENS)
    with os.fdopen(reading) as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        said = line("login", "vault", "--no-check", "--server", host, "--app", "a", "--app-key", "hush-key")
    assert "error: this is neither the address that the browser was sent to nor a code" in said.err
    assert (said.code, kept()["token"]) == (0, "hush-token")


def test_nobody_who_comes_back_is_told(line: Run, host: str, monkeypatch: pytest.MonkeyPatch, vault: Path) -> None:
    monkeypatch.setattr(signin.Listener.wait, "__defaults__", (0.01,))
    words = ["login", "vault", "--server", host, "--app", "a", "--app-key", "hush-key"]
    for more in ([], ["--no-browser"], ["--listen", "0"], ["--listen", "[::1]:0"], ["--listen", "http://localhost:0"]):
        said = line(*words, *more)
        assert said.code == 5
        assert "error: nobody came back from the page in 0 minutes; start again; the application's card" in said.err
    (vault / "_service.yaml").write_text(SERVICE.replace('      listen: "http://127.0.0.1:0/back"\n', ""))
    assert "must send the browser to where you can copy it" in line(*words).err


def test_a_browser_that_does_not_open_is_no_end(line: Run, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: str) -> bool:
        raise webbrowser.Error("none")

    monkeypatch.setattr(signin.Listener.wait, "__defaults__", (0.01,))
    monkeypatch.setattr(webbrowser, "open", fails)
    monkeypatch.setenv("BROWSER", "x")
    said = line("login", "vault", "--server", host, "--app", "a", "--app-key", "hush-key")
    assert "no browser could be opened: none" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--listen", "example.com:80"], "can't listen at 'example.com:80'; --listen takes an address of this machine"),
        (["--listen", "99999"], "can't listen at '99999'"),
        (["--listen", "{port}"], "can't listen on 127.0.0.1:{port}: address already in use; end what listens there"),
        (["--server", "portal.example"], "http://portal.example would send what comes back unencrypted"),
    ],
)
def test_an_address_that_does_not_do_is_told(words: list[str], told: str, line: Run, host: str) -> None:
    port = host.rpartition(":")[2]
    words = [word.format(port=port) for word in words]
    said = line("login", "vault", "--server", host, "--app", "a", "--app-key", "hush-key", *words)
    assert said.code == 2
    assert f"error: {told.format(port=port)}" in said.err


def test_profiles_are_listed_explained_and_forgotten(line: Run, site: Any, host: str) -> None:
    assert line("profiles") == (0, "", "there are no profiles yet; declarest login SERVICE makes one\n")
    for name in ("one", "two"):
        line("login", "vault", name, "--no-check", "--url", f"{site.url}/in/hush/")
    rows = line("profiles", "vault", "-o", "json").data
    assert [(row["profile"], row["default"], row["host"], row["fields"]) for row in rows] == [
        ("one", True, host, "code=***"),
        ("two", False, host, "code=***"),
    ]
    assert "hush" not in line("profiles").out
    assert line("profiles", "default", "vault", "two").err == "two is the default profile of vault\n"
    said = line("profiles", "--explain", "--token", "hush-flag", "-o", "json")
    assert [(row["field"], row["from"].split(",")[0]) for row in said.data] == [
        ("scheme", "default"),
        ("server", "profile two"),
        ("code", "profile two"),
        ("token", "flag --token"),
    ]
    assert "hush" not in said.out
    assert line("logout", "vault").err.startswith("error: which profile of vault?; one of one, two, or --all")
    assert line("logout", "vault", "one").err.startswith("the profile one of vault is forgotten here")
    assert line("logout").code == 0
    assert line("logout").err.startswith("error: which service?; there are no profiles")
    assert line("logout", "vault").err.startswith("error: which profile of vault?; ")
    assert line("logout", "--all").err.startswith("error: there is nothing to forget; ")
    line("login", "vault", "--no-check", "--url", f"{site.url}/in/hush/")
    assert line("logout", "--all").code == 0
    assert profiles.services() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["profiles", "--help"], ""),
        (["logout", "--help"], ""),
        (["profiles", "a", "b"], "profiles takes one service, not a b"),
        (["profiles", "nothing"], "there is no service"),
        (["profiles", "default"], "which profile?; declarest profiles default SERVICE NAME"),
        (["profiles", "--token", "x"], "profiles has no option --token"),
        (["profiles", "--force"], "profiles has no option --force"),
        (["profiles", "--explain", "a", "b"], "--explain takes one service"),
        (["profiles", "--explain", "vault", "--tokn", "x"], "profiles has no option --tokn; did you mean token?"),
        (["logout", "a", "b", "c"], "logout takes a service and a name, not a b c"),
        (["logout", "--all", "a", "b"], "logout takes a service and a name, not a b"),
    ],
)
def test_lines_about_profiles_that_do_not_fit_are_told(words: list[str], told: str, line: Run) -> None:
    said = line(*words)
    assert (said.code == 0) == (not told)
    assert said.err.startswith(f"error: {told}" if told else "")


def test_a_row_tells_what_cannot_be_read(line: Run, desk: Path) -> None:
    path = Path(profiles.path())
    path.parent.mkdir(mode=0o700)
    path.write_text(
        "[vault.a]\nkeyring = true\nserver = 'a.example'\n"
        "[vault.b]\nserver = 'b.example'\nends = 1500000000\n[gone.x]\n"
    )
    path.chmod(0o600)
    rows = {row["profile"]: row for row in line("profiles", "-o", "json").data}
    assert rows["a"]["kind"].startswith("the secrets of the profile 'a' are in the keyring, and can't be had")
    assert (rows["b"]["kind"], rows["b"]["secrets"]) == ("not complete", "none")
    assert rows["b"]["expires"].endswith("(over)")
    assert rows["x"]["kind"] == "a service that is not installed"
    assert line("login", "vault", "a").err.startswith("error: vault has a profile 'a' already")
    assert line("--complete", "logout", "vault", "").out == "a\nb\n"
    assert line("--complete", "vault", "me", "--profile", "b").out == "b\n"
    assert line("--complete", "log").out == "login\nlogout\n"
    path.write_text("[")
    assert line("--complete", "logout", "vault", "").out == ""


class Seat(io.StringIO):
    """Standard input where somebody sits and types what is given."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has somebody sit there who types these lines."""

    def typed(text: str) -> None:
        seat = Seat(text)
        monkeypatch.setattr(sys, "stdin", seat)
        monkeypatch.setattr("runner.cli.ask.possible", lambda: True)
        monkeypatch.setattr(getpass, "getpass", lambda *_: seat.readline().rstrip())

    return typed


@pytest.mark.parametrize(
    ("words", "typed", "found"),
    [
        ([], "\n{url}/in/hush/\n", {"code": "hush"}),
        (["--url", "{host}"], "1\nhush\n", {"code": "hush"}),
        ([], "2\n{host}\nhush\n", {"token": "hush"}),
        (["--token", "hush"], "a b\n{host}\n", {"token": "hush"}),
        (["--token", "hush"], "{url}/\n", {"token": "hush"}),
    ],
)
def test_what_is_missing_is_asked_for(
    words: list[str], typed: str, found: dict[str, str], line: Run, site: Any, host: str, types: Any
) -> None:
    url = site.url
    types(typed.format(url=url, host=host))
    said = line("login", "vault", "--no-check", *(word.format(url=url, host=host) for word in words))
    assert (said.code, kept()) == (0, {"server": host} | found)


def test_the_only_service_needs_no_name(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DECLAREST_METHODS")
    assert line("login").code == 3


def test_a_service_without_help_asks_as_well(line: Run, vault: Path, host: str, types: Any) -> None:
    text = SERVICE.replace("  help: Ask the keeper\n", "").replace(
        '  accept: {url: ["{scheme}://{server}/in/{code}/", "{scheme}://{server}/", "{server}"]}\n', ""
    )
    (vault / "_service.yaml").write_text(text)
    types(f"1\n{host}\nhush\n")
    assert line("login", "vault", "--no-check").code == 0
    assert kept() == {"server": host, "code": "hush"}


def test_a_terminal_is_told_that_it_may_paste(line: Run, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin.Listener.wait, "__defaults__", (0.01,))
    words = ["login", "vault", "--no-browser", "--server", host, "--app", "a", "--app-key", "hush-key"]
    here, there = pty.openpty()
    with os.fdopen(there) as seat:
        monkeypatch.setattr(sys, "stdin", seat)
        assert "What you paste is not shown" in line(*words).err
    os.close(here)
    monkeypatch.setattr(sys, "stdin", None)
    assert line(*words).code == 5


def test_nothing_typed_is_the_end(line: Run, types: Any) -> None:
    types("\n")
    assert line("login", "vault", "--token", "hush").err.endswith("error: nothing was given, and nothing is saved\n")


def test_who_says_no_changes_nothing(line: Run, types: Any) -> None:
    words = ["login", "vault", "--no-check", "--url"]
    line(*words, "http://127.0.0.1:1/in/hush/")
    types("no\n")
    assert line(*words, "http://127.0.0.1:1/in/else/").err.endswith(
        "error: nothing was changed; another name keeps both: declarest login vault NAME\n"
    )
    types("y\n")
    assert line(*words, "http://127.0.0.1:1/in/else/").code == 0
    assert kept()["code"] == "else"


class Terminal:
    """A process at a terminal of its own: what it asks is waited for, what is typed is sent."""

    def __init__(self, words: list[str], env: dict[str, str]) -> None:
        self.here, there = pty.openpty()
        start = "import os, sys, fcntl, termios\nos.setsid()\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        start += "os.execv(sys.executable, sys.argv[1:])"
        command = [sys.executable, "-c", start, sys.executable, "-m", "runner", *words]
        self.process = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=env)
        os.close(there)
        self.seen = ""

    def until(self, text: str) -> None:
        """Read until a text has been shown."""
        end = time.monotonic() + 60
        while text not in self.seen:
            assert select([self.here], [], [], max(0.0, end - time.monotonic()))[0], self.seen
            assert self._read(), self.seen
        self.seen = self.seen.partition(text)[2]

    def _read(self) -> bool:
        try:
            chunk = os.read(self.here, 4096)
        except OSError:
            chunk = b""
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self.here, text.encode())

    def end(self) -> tuple[int, str]:
        """The exit code, and what was shown since."""
        while self._read():
            pass
        os.close(self.here)
        return self.process.wait(60), self.seen


@pytest.fixture
def terminal(desk: Path, cache: Path) -> Callable[..., Terminal]:
    """Runs a line at a terminal."""
    names = ("PATH", *(name for name in os.environ if name.startswith(("DECLAREST", "COVERAGE"))))
    env = {name: os.environ[name] for name in names} | {"PYTHONPATH": str(Path(runner.__file__).parents[1])}
    return lambda *words: Terminal(list(words), env | {"HOME": str(desk), "TERM": "xterm"})


def test_a_person_is_asked_and_what_is_secret_is_not_shown(terminal: Any, site: Any) -> None:
    site.say(ME, RIGHTS)
    one = terminal("login", "vault")
    one.until("Number [1]: ")
    one.type("9\n")
    one.until("a number from 1 to 3")
    one.until("Number [1]: ")
    one.type("\n")
    one.until("(it is not shown): ")
    one.type("hush-wrong/\n")
    one.until("is not an address that Vault has")
    one.until("(it is not shown): ")
    one.type(f"{site.url}/in/hush/\n")
    code, seen = one.end()
    assert (code, "hush" in seen) == (0, False)
    assert kept()["code"] == "hush"
    two = terminal("login", "vault", "--url", f"{site.url}/in/other/", "--no-check")
    two.until("vault has a profile 'main' already. Replace it? [y/N]: ")
    two.type("n\n")
    code, seen = two.end()
    assert (code, "nothing was changed" in seen) == (2, True)
    three = terminal("login", "vault", "--url", f"{site.url}/in/other/", "--no-check")
    three.until("Replace it? [y/N]: ")
    three.type("yes\n")
    assert three.end()[0] == 0
    assert kept()["code"] == "other"


def test_a_person_may_leave_at_any_question(terminal: Any, host: str) -> None:
    one = terminal("login", "vault", "--token", "hush-token")
    one.until("server, host of the vault: ")
    one.type("\x04")
    code, seen = one.end()
    assert (code, "nothing was given, and nothing is saved" in seen) == (2, True)
    two = terminal("login", "vault", "--server", host)
    two.until("Number [1]: ")
    two.type("2\n")
    two.until("(it is not shown): ")
    two.type("\x03")
    code, seen = two.end()
    assert (code, "interrupted" in seen) == (130, True)
    three = terminal("login", "vault", "--app", "a", "--no-check")
    three.until("server, host of the vault: ")
    three.type(f"http://{host}/\n")
    three.until("app_key, key of the application (it is not shown): ")
    three.type("hush-key\n")
    three.until("What you paste is not shown; Ctrl-C gives up.")
    three.type("hush-word and more\n")
    three.until("nor a code")
    three.type("\x03")
    code, seen = three.end()
    assert (code, "hush" in seen) == (130, False)
    assert profiles.services() == []
