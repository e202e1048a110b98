"""Which way of authorising a call takes, and which address may have the secret."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner import CallError, MissingCredentials, SpecError, auth
from runner.settings import SOURCES, Credentials

if TYPE_CHECKING:
    from runner.catalog import Catalog
    from runner.spec import Method

HOST = {"scheme": "https", "host": "library.example"}


@pytest.fixture
def method(catalog: Catalog) -> Method:
    return catalog.method("library", "ping")


def account(**sources: str) -> Credentials:
    values = {**HOST, **dict.fromkeys(sources, "x")}
    return Credentials(values, dict.fromkeys(HOST, SOURCES[0]) | sources)


def test_the_first_way_whose_needs_are_known_is_taken(method: Method) -> None:
    assert auth.choose(method, account(key=SOURCES[0], token=SOURCES[0])).name == "bearer"
    assert auth.choose(method, account(key=SOURCES[0])).name == "key"


def test_a_secret_that_stands_nearer_to_the_caller_is_taken_first(method: Method) -> None:
    assert auth.choose(method, account(key=SOURCES[0], token=SOURCES[2])).name == "key"


def test_a_way_without_a_secret_comes_last(method: Method) -> None:
    both = account(token=SOURCES[3], mirror=SOURCES[0])
    assert auth.choose(method, both).name == "bearer"


def test_a_method_may_take_some_ways_only(catalog: Catalog) -> None:
    lend = catalog.method("library", "book.lend")
    with pytest.raises(MissingCredentials, match="can't be called in this way; it takes token or link of a reader"):
        auth.choose(lend, account(key=SOURCES[0]))


def test_a_way_is_found_by_its_name(method: Method) -> None:
    assert auth.named(method, "basic").title == "name and password"
    with pytest.raises(SpecError, match="no way of authorising called 'crown'"):
        auth.named(method, "crown")


def test_a_service_file_does_not_send_a_secret_to_another_host(method: Method) -> None:
    scheme = replace(method.service.schemes[0], base="https://elsewhere.example/")
    with pytest.raises(SpecError, match=r"would send credentials of library.example to elsewhere.example"):
        auth.trust(method, scheme, HOST)


def test_a_host_that_no_field_names_is_the_service_file_s_own(method: Method) -> None:
    scheme = replace(method.service.schemes[0], base="https://fixed.example/")
    auth.trust(method, scheme, {})
    with pytest.raises(SpecError, match=r"would send credentials of mirror.example to fixed.example"):
        auth.trust(method, scheme, {"mirror": "https://Mirror.example/a"})


def test_a_way_that_stands_apart_is_for_methods_that_name_it(catalog: Catalog) -> None:
    card = catalog.method("library", "card.ask")
    assert auth.choose(card, account(host="an argument", token="an argument", gate="the default")).name == "gate"
    with pytest.raises(MissingCredentials, match="no credentials for Library"):
        auth.choose(catalog.method("library", "ping"), account(gate="the default"))


def test_a_way_that_takes_nothing_along_may_lead_to_another_host(catalog: Catalog) -> None:
    card = catalog.method("library", "card.ask")
    gate = auth.named(card, "gate")
    known = {"host": "library.example", "token": "secret", "gate": "https://gate.example"}
    auth.trust(card, gate, known, "library.example")
    for greedy in (replace(gate, base="{gate}/{token}"), replace(gate, send={"query": {"t": "{token}"}})):
        with pytest.raises(SpecError, match=r"would send credentials of library\.example to gate\.example"):
            auth.trust(card, greedy, known, "library.example")


@pytest.mark.parametrize("base", ["ftp://library.example/", "https:///path", "library.example"])
def test_an_address_that_is_none_is_refused(method: Method, base: str) -> None:
    scheme = replace(method.service.schemes[0], base=base)
    with pytest.raises(CallError, match="is no address of a web service"):
        auth.trust(method, scheme, {})


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("a.localhost", True), ("10.0.0.1", False), ("a", False)],
)
def test_this_machine_is_known_by_its_names(host: str, own: bool) -> None:
    assert auth.loopback(host) is own


def test_what_a_first_call_yields_is_kept(method: Method) -> None:
    scheme = auth.named(method, "room")
    assert auth.kept(scheme, {"session": "s", "place": 4, "more": 1}) == {"session": "s", "place": 4}
    with pytest.raises(SpecError, match="gave nothing at 'place' for place"):
        auth.kept(scheme, {"session": "s"})


@pytest.mark.parametrize("value", [None, [], "text"])
def test_a_way_without_a_first_call_keeps_nothing(method: Method, value: Any) -> None:
    assert auth.kept(auth.named(method, "basic"), value) == {}
