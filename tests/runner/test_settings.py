from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner import document, profiles, settings, strongbox
from runner.compiler import checked
from runner.errors import CallError, MissingCredentials
from runner.spec import Service

TOY = """
spec: 1
service: toy-box
title: Toy Box
profile:
  properties:
    scheme: {enum: [https, http], default: https}
    host: {type: string, format: hostname}
    user: {type: integer, minimum: 1, description: Number of the user}
    code: {type: string, minLength: 3, writeOnly: true}
    token: {type: string, minLength: 3, writeOnly: true, description: Token of the box}
    step: {type: integer, multipleOf: 5}
    kind: {$ref: "#kind"}
  accept:
    url:
      - "{scheme}://{host}/hook/{user}/{code}/"
      - "{scheme}://{host}/hook/{user}/{code}"
      - "{host}/hook/{user}/{code}"
      - "{scheme}://{host}/"
      - "{scheme}://{host}"
      - "{host}"
  help: Look under the box
auth:
  hook: {title: a hook, needs: [host, user, code], base: "{scheme}://{host}/hook/{user}/{code}/"}
  token: {title: a token, needs: [host, token], base: "{scheme}://{host}/"}
"""
FREE = """
spec: 1
service: free
title: Free
profile: {properties: {key: {type: string, writeOnly: true}}}
auth: {key: {title: a key, needs: [key], base: "https://free.example/"}}
"""


def read(text: str) -> Service:
    return Service.read(checked(document.load(text), "service", text, "service"))


TOYS = read(TOY)
PROFILES = """
[toy-box]
default = "main"
[toy-box.main]
url = "https://main.example/hook/1/main-code/"
[toy-box.spare]
host = "spare.example"
token = "spare-token"
stranger = "passed over"
[free.only]
key = "k"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of profiles, which only its owner can read."""
    folder = tmp_path / "settings"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("DECLAREST_CONFIG_DIR", str(folder))
    path = folder / "profiles.toml"
    path.write_text(PROFILES, encoding="utf-8")
    path.chmod(0o600)
    return path


def values(given: dict[str, object], profile: str | None = None) -> dict[str, object]:
    return dict(settings.credentials(TOYS, given, profile).values)


def fault(given: dict[str, object], profile: str | None = None) -> str:
    with pytest.raises(CallError) as caught:
        settings.credentials(TOYS, given, profile)
    return str(caught.value)


def test_an_argument_wins_over_the_environment_the_profile_and_the_default(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('[toy-box.main]\nhost = "a.example"\nuser = 3\ncode = "profile"\nscheme = "http"\n')
    monkeypatch.setenv("DECLAREST_TOY_BOX_USER", "2")
    monkeypatch.setenv("DECLAREST_TOY_BOX_CODE", "environment")
    found = settings.credentials(TOYS, {"code": "argument"}, "main")
    assert found.values == {"code": "argument", "user": 2, "host": "a.example", "scheme": "http"}
    assert found.sources == {
        "code": "an argument",
        "user": "the environment",
        "host": "the profile",
        "scheme": "the profile",
    }


def test_a_default_comes_last() -> None:
    found = settings.credentials(TOYS, {"host": "a.example"})
    assert found.values["scheme"] == "https"
    assert found.sources["scheme"] == "the default"


def test_what_is_not_said_does_not_count(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAREST_TOY_BOX_URL", "")
    assert values({"url": None, "token": ""})["host"] == "main.example"


def test_credentials_never_show_a_value() -> None:
    found = settings.credentials(TOYS, {"host": "a.example", "token": "hush-hush"})
    assert repr(found) == "<Credentials host, scheme, token>"


def test_a_variable_is_named_after_service_and_field() -> None:
    assert settings.variable("toy-box", "user") == "DECLAREST_TOY_BOX_USER"


def test_texts_that_are_split_come_before_fields() -> None:
    assert settings.inputs(TOYS) == ["url", "scheme", "host", "user", "code", "token", "step", "kind"]


HOOK = {"scheme": "https", "host": "a.example", "user": 1, "code": "abc"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://a.example/hook/1/abc/", HOOK),
        ("  https://a.example/hook/1/abc\n", HOOK),
        ("http://a.example:8080/hook/1/abc/", HOOK | {"scheme": "http", "host": "a.example:8080"}),
        ("a.example/hook/1/abc", HOOK),
        ("https://a.example/", {"scheme": "https", "host": "a.example"}),
        ("http://a.example", {"scheme": "http", "host": "a.example"}),
        ("a.example", {"scheme": "https", "host": "a.example"}),
        ("localhost:8080", {"scheme": "https", "host": "localhost:8080"}),
        ("`https://a.example/hook/1/abc/`", HOOK),
        ("\N{LEFT DOUBLE QUOTATION MARK}https://a.example/hook/1/abc/\N{RIGHT DOUBLE QUOTATION MARK}", HOOK),
        ("(https://a.example/hook/1/abc/)", HOOK),
        ("\N{NO-BREAK SPACE}https://a.example/hook/1/abc/", HOOK),
        ("\ufeffhttps://a.example/hook/1/a\N{ZERO WIDTH SPACE}bc\N{RIGHT-TO-LEFT MARK}/", HOOK),
    ],
)
def test_a_pasted_address_is_split_into_its_fields(text: str, found: dict[str, object]) -> None:
    assert values({"url": text}) == found


def test_a_field_given_by_itself_wins_over_the_pasted_one() -> None:
    assert values({"url": "https://a.example/hook/1/abc/", "code": "other"})["code"] == "other"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://a.example/hook/x/hush/", "https://a.example/…"),
        ("ftp://a.example/hook/1/hush/", "ftp://a.example/…"),
        ("https://user:hush@a.example/hook/1/hush/", "https://a.example/…"),
        ("https://user:hush@a.example", "https://a.example"),
        ("https://a.example?auth=hush", "https://a.example/…"),
        ("https://a.example/hush?to=http://b.example/x", "https://a.example/…"),
        ("https://a.example\\hush", "https://a.example/…"),
        ("hush hush", "***"),
        ("user:hush@hush", "***"),
        ("https://hush:1:2/", "https://***/…"),
        ("a.example:99999", "a.example:99999"),
        ("a.example:0", "a.example:0"),
        ("a.example:", "a.example:"),
        ("[hush", "***"),
        ("[::1]", "***"),
        (".example", "***"),
        ("a.example.", "***"),
    ],
)
def test_a_bad_address_is_told_without_what_may_be_a_secret(text: str, shown: str) -> None:
    message = fault({"url": text})
    form = "https://HOST/hook/USER/CODE/ or HOST"
    assert message == f"--url {shown} is not an address that Toy Box has; it looks like {form}\n  Look under the box"
    assert "hush" not in message


@pytest.mark.parametrize(
    "text",
    ["items.list.json", "items.list", "?a=1", "#a", "/", "items.list?hook=1/x", "items.list?to=https://b.example"],
)
def test_what_follows_an_address_is_told(text: str) -> None:
    assert fault({"url": f"https://a.example/hook/1/hush/{text}"}).endswith(
        "or HOST, without what follows it here\n  Look under the box"
    )
    assert "what follows it here" not in fault({"url": f"htps://a.example/hook/1/hush/{text}"})


def test_where_a_value_stands_that_does_not_fit_is_told(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('[toy-box.main]\nhost = 5\n[toy-box.spare]\nurl = "https://a.example/hok/1/hush/"\n')
    place = f"the profile '{{}}' in {config}: "
    assert fault({}, "main").startswith(f"{place.format('main')}5 does not fit the credential host")
    assert fault({}, "spare").startswith(f"{place.format('spare')}url https://a.example/… is not an address")
    monkeypatch.setenv("DECLAREST_TOY_BOX_URL", "https://b.example/hok/1/hush/")
    assert fault({}).startswith("the environment: url https://b.example/… is not an address that Toy Box has")


def test_profiles_are_told_of_where_credentials_are_missing(config: Path) -> None:
    def lacks(profile: str = "") -> str:
        return settings.missing(TOYS, [], {}, "items.list", profile).hint

    config.write_text('[toy-box.main]\nhst = "a.example"\n[toy-box.spare]\ncode = "hush"\n')
    assert lacks().startswith("toy-box has main, spare among the profiles, and no default one: give --profile main\n")
    assert lacks("main").startswith("the profile 'main' has hst, which is no credential; did you mean host?\n")
    assert lacks("spare").startswith("give --")
    config.write_text('[toy-box]\ndefault = "main"\n[toy-box.main]\nhost = "a.example"\n')
    assert lacks().startswith("give --")
    config.write_text("[toy-box")
    assert lacks().startswith(f"{config}:1:9 is no TOML")


def test_an_unknown_credential_is_told_with_the_nearest() -> None:
    assert fault({"tokn": "hush"}) == "toy-box has no credential called 'tokn'; did you mean token?"
    assert fault({"zzzz": "hush"}).endswith("it takes url, scheme, host, user, code, token, step, kind")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user": "0"}, "'0' does not fit the credential user; Number of the user"),
        ({"user": "²"}, "'²' does not fit the credential user; Number of the user"),
        ({"user": "x"}, "'x' does not fit the credential user; Number of the user"),
        ({"token": "hu"}, "this value does not fit the credential token; Token of the box"),
        ({"scheme": "ftp"}, "'ftp' does not fit the credential scheme"),
        ({"step": "7"}, "'7' does not fit the credential step"),
    ],
)
def test_a_value_that_does_not_fit_names_its_field(given: dict[str, object], message: str) -> None:
    assert fault(given) == message


def test_numbers_given_as_text_are_numbers() -> None:
    assert values({"user": "12", "step": "10", "kind": "12"}) == {
        "user": 12, "step": 10, "kind": "12", "scheme": "https",
    }  # fmt: skip


def test_a_lower_source_that_names_another_host_is_not_mixed_in(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAREST_TOY_BOX_URL", "https://environment.example/hook/5/environment-code/")
    monkeypatch.setenv("DECLAREST_TOY_BOX_TOKEN", "environment-token")
    assert values({"url": "https://a.example"}) == {"scheme": "https", "host": "a.example"}
    assert values({"url": "https://main.example"})["code"] == "main-code"
    assert values({})["token"] == "environment-token"


def test_hosts_are_the_same_in_any_letter_case(config: Path) -> None:
    assert values({"host": "MAIN.example"})["code"] == "main-code"
    assert values({"host": "MAIN.example"})["host"] == "MAIN.example"


def test_the_default_profile_is_taken_where_none_is_named(config: Path) -> None:
    assert values({}) == {"scheme": "https", "host": "main.example", "user": 1, "code": "main-code"}


def test_a_profile_is_named_by_argument_before_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAREST_PROFILE", "spare")
    assert values({})["host"] == "spare.example"
    assert values({}, "main")["host"] == "main.example"


def test_words_of_a_profile_that_the_service_does_not_know_are_passed_over(config: Path) -> None:
    assert values({}, "spare") == {"scheme": "https", "host": "spare.example", "token": "spare-token"}


def test_a_profile_that_nobody_names_is_not_taken(config: Path) -> None:
    assert settings.credentials(read(FREE), {}).values == {}


def test_without_a_file_there_are_no_profiles(tmp_path: Path) -> None:
    assert values({}) == {"scheme": "https"}
    message = fault({}, "main")
    assert message.startswith("there is no profile 'main': ")
    assert message.endswith("does not exist; declarest login toy-box main makes one, or pass the credentials")


def test_an_unknown_profile_is_told_with_the_nearest(config: Path) -> None:
    assert fault({}, "spar") == "there is no profile 'spar' for toy-box; did you mean spare?"
    assert fault({}, "zzz").endswith("profiles.toml has main, spare for toy-box")
    config.write_text("")
    assert fault({}, "zzz").endswith("profiles.toml has none for toy-box")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_of_profiles_that_others_can_read_is_refused(mode: int, config: Path) -> None:
    config.chmod(mode)
    assert fault({}) == f"{config} can be read by others; chmod 600 {config}"


def test_on_systems_without_modes_the_file_is_taken(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.chmod(0o644)
    monkeypatch.setattr(strongbox, "MODES", False)
    assert profiles.read(profiles.SETTINGS)["free"] == {"only": {"key": "k"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[toy-box\ncode = "hush"', "is no TOML: "),
        (b"\xff", "is no text in UTF-8"),
        (b"x = 1", "x does not fit; write [service.profile]"),
        (b"[toy-box]\ndefault = 5", "toy-box.default does not fit"),
        (b'[toy-box.main]\ncode = ["hush"]', "toy-box.main.code does not fit"),
        (b"[toy-box.main]\ncode = 2020-01-01", "toy-box.main.code does not fit"),
    ],
)
def test_a_broken_file_of_profiles_is_told_without_a_secret(content: bytes, message: str, config: Path) -> None:
    config.write_bytes(content)
    found = fault({})
    assert message in found
    assert "hush" not in found


def test_a_file_of_profiles_that_cannot_be_read_is_told(config: Path) -> None:
    config.unlink()
    config.mkdir(mode=0o700)
    assert fault({}) == f"can't read {config}: Is a directory"


def lacking(known: dict[str, object], allowed: list[str] | None = None, service: Service = TOYS) -> MissingCredentials:
    return settings.missing(service, allowed or [], known, "box.add")


def test_missing_credentials_are_told_with_flag_variable_and_key_of_a_profile() -> None:
    error = lacking({})
    assert error.message == "no credentials for Toy Box: host, token missing"
    assert error.hint.splitlines() == [
        "give --url, or set DECLAREST_TOY_BOX_URL, or `url` in a profile",
        "  a hook: host, user, code",
        "  a token: host, token",
        "  Look under the box",
        "  declarest login toy-box asks for them, checks them and keeps them",
        "  or practise with --sandbox",
    ]
    assert (error.method, error.exit_code) == ("box.add", 3)


def test_whoever_gave_the_address_is_asked_for_what_is_still_missing() -> None:
    error = lacking({"host": "a.example"})
    assert error.message == "no credentials for Toy Box: token missing"
    assert error.hint.startswith("give --token, or set DECLAREST_TOY_BOX_TOKEN")


def test_a_service_without_pasted_texts_asks_for_the_field() -> None:
    hint = lacking({}, service=read(FREE)).hint
    assert hint.startswith("give --key, or set DECLAREST_FREE_KEY, or `key` in a profile")
    assert hint.splitlines()[1:] == [
        "  a key: key",
        "  declarest login free asks for them, checks them and keeps them",
        "  or practise with --sandbox",
    ]


def test_a_method_that_takes_one_way_only_says_which() -> None:
    error = lacking({"host": "a.example", "user": 1, "code": "abc"}, ["token"])
    assert error.message == "box.add can't be called in this way; it takes a token only"
    assert "a hook" not in error.hint


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX")
def test_the_right_mode_is_fine(config: Path) -> None:
    assert config.stat().st_mode & 0o777 == 0o600
    assert values({}, "spare")["token"] == "spare-token"


def test_nothing_but_what_is_given_is_taken_where_no_profile_is_wanted(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLAREST_TOY_BOX_TOKEN", "environment")
    assert values({"host": "a.example"}, "") == {"scheme": "https", "host": "a.example"}
    found = settings.credentials(TOYS, {}, saved=False)
    assert (found.values, found.profile) == ({"scheme": "https", "token": "environment"}, "")


def test_each_value_tells_where_it_came_from(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAREST_TOY_BOX_STEP", "5")
    given = {"token": "argument"}
    found = settings.credentials(TOYS, given)
    assert found.profile == "main"
    assert settings.origins(TOYS, given, found) == [
        ("scheme", "https", f"profile main, {config}"),
        ("host", "main.example", f"profile main, {config}"),
        ("user", 1, f"profile main, {config}"),
        ("code", "***", f"profile main, {config}"),
        ("token", "***", "flag --token"),
        ("step", 5, "environment DECLAREST_TOY_BOX_STEP"),
    ]
    given = {"url": "http://a.example"}
    found = settings.credentials(TOYS, given, "")
    assert settings.origins(TOYS, given, found)[1] == ("host", "a.example", "flag --url")
    found = settings.credentials(TOYS, {"host": "a.example"}, "")
    assert settings.origins(TOYS, {}, found)[0] == ("scheme", "https", "default")
