"""The sandbox lets callers in: the page, the code, the tokens, their renewal, over real sockets, by both services."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from runner import AuthError, Client, ServiceError
from runner.sandbox import MEMORY, reset, start
from runner.sandbox.envelope import Refused
from runner.sandbox.grants import Grants
from runner.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.catalog import Catalog
    from runner.sandbox import Served
    from tests.conftest import Clock

Json = dict[str, Any]
SERVICES: dict[str, Json] = {
    "library": {
        "page": "/let-in",
        "ask": {"club": "paper", "mark": "a b&"},
        "back": {"state": "mark", "code": "word", "host": "house"},
        "exchange": ("card.token", {"want": "word", "club": "paper", "key": "sandbox-key"}),
        "renew": ("card.token", {"want": "spare", "club": "paper", "key": "sandbox-key"}),
        "fields": ("word", "spare", "key"),
        "tokens": ("badge", "spare"),
        "found": lambda value: (value["badge"]["now"], value["badge"]["next"]),
        "harmless": "reader.me",
        "codes": ("OLD_BADGE", "NO_SPARE", "NO_CLUB"),
        "only": ("host", "scheme", "badge"),
    },
    "bitrix24": {
        "page": "/oauth/authorize/",
        "ask": {"client_id": "local.sandbox", "state": "a b&"},
        "back": {"state": "state", "code": "code", "host": "domain"},
        "exchange": (
            "oauth.token",
            {"grant_type": "authorization_code", "client_id": "local.sandbox", "client_secret": "sandbox-key"},
        ),
        "renew": (
            "oauth.token",
            {"grant_type": "refresh_token", "client_id": "local.sandbox", "client_secret": "sandbox-key"},
        ),
        "fields": ("code", "refresh_token", "client_secret"),
        "tokens": ("token", "refresh_token"),
        "found": lambda value: (value["access_token"], value["refresh_token"]),
        "harmless": "profile",
        "codes": ("expired_token", "invalid_grant", "invalid_client"),
        "only": ("portal", "scheme", "token"),
    },
}


class House:
    """A sandbox that is up, and what its service calls things."""

    def __init__(self, catalog: Catalog, service: str, **words: Any) -> None:
        self.catalog, self.service, self.about = catalog, service, SERVICES[service]
        self.served: Served = start(catalog, service, **{"state": MEMORY, **words})

    def client(self, **fields: Any) -> Client:
        """A client of the account, signed in by something that ends."""
        words = dict(self.served.credentials) | fields
        for name in ("code", "user_id", "reader", *({"token"} - set(self.about["tokens"]))):
            words.pop(name, None)
        return Client(self.service, methods=self.catalog, limits="memory", **words)

    def bare(self, token: str) -> Client:
        """A client with a token and nothing that renews it."""
        host, scheme, name = self.about["only"]
        words = {key: self.served.credentials[key] for key in (host, scheme)} | {name: token}
        return Client(self.service, methods=self.catalog, limits="memory", **words)

    def page(self, **more: Any) -> httpx.Response:
        """What the page answers to a browser."""
        return httpx.get(f"{self.served.address}{self.about['page']}", params={**self.about["ask"], **more})

    def allowed(self) -> dict[str, str]:
        """What comes back from the page."""
        return dict(parse_qsl(urlsplit(self.page(allow=1).headers["location"]).query))

    def call(self, word: str, given: str, **more: Any) -> Any:
        """The tokens that a code or a renewal is exchanged for."""
        name, params = self.about[word]
        field = self.about["fields"][0 if word == "exchange" else 1]
        with self.client() as client:
            return self.about["found"](client.call(name, {**params, field: given, **more}).value)


@pytest.fixture(params=list(SERVICES))
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def house(catalog: Catalog, service: str, clock: Clock) -> Iterator[House]:
    found = House(catalog, service, clock=clock)
    yield found
    found.served.close()


def refused(error: pytest.ExceptionInfo[ServiceError]) -> str:
    return error.value.code


def test_a_person_lets_the_caller_in_and_the_code_is_exchanged(house: House) -> None:
    page = house.page()
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<button name="allow" value="1">Allow</button>' in page.text
    assert 'value="a b&amp;"' in page.text
    back = house.allowed()
    names = house.about["back"]
    assert back[names["state"]] == "a b&"
    assert back[names["host"]] == house.served.address.removeprefix("http://")
    token, renewal = house.call("exchange", back[names["code"]])
    with house.bare(token) as client:
        assert client.call(house.about["harmless"]).value
    assert house.call("renew", renewal)[0] != token


def test_the_page_sends_the_browser_where_it_is_told_and_asks_nobody_then(house: House) -> None:
    assert house.page(allow=1).headers["location"].startswith("http://127.0.0.1:867")
    house.served.let_in("http://127.0.0.1:1/here")
    assert house.page().headers["location"].startswith("http://127.0.0.1:1/here?")


def test_the_page_knows_its_application_only(house: House) -> None:
    first = next(iter(house.about["ask"]))
    answer = house.page(**{first: "another", "allow": 1})
    assert (answer.status_code, "no such application" in answer.text) == (400, True)
    assert f"{first} is not {house.page().url.params[first]}." in answer.text


def test_a_person_may_refuse(house: House) -> None:
    assert '<button name="allow" value="0">Refuse</button>' in house.page().text
    found = urlsplit(house.page(allow=0).headers["location"])
    assert dict(parse_qsl(found.query)) == {"error": "access_denied", house.about["back"]["state"]: "a b&"}


def test_a_code_is_good_once_and_for_a_while(house: House, clock: Clock) -> None:
    code = house.about["back"]["code"]
    once, late = house.allowed()[code], house.allowed()[code]
    house.call("exchange", once)
    for given in (once, "made up"):
        with pytest.raises(AuthError) as caught:
            house.call("exchange", given)
        assert refused(caught) == house.about["codes"][1]
    clock.sleep(31)
    with pytest.raises(AuthError) as caught:
        house.call("exchange", late)
    assert refused(caught) == house.about["codes"][1]


def test_a_renewal_is_good_once(house: House) -> None:
    first = house.served.credentials[house.about["tokens"][1]]
    _, second = house.call("renew", first)
    with pytest.raises(AuthError) as caught:
        house.call("renew", first)
    assert refused(caught) == house.about["codes"][1]
    assert house.call("renew", second)


def test_another_key_renews_nothing_and_uses_nothing_up(house: House) -> None:
    first = house.served.credentials[house.about["tokens"][1]]
    with pytest.raises(ServiceError) as caught:
        house.call("renew", first, **{house.about["fields"][2]: "wrong"})
    assert refused(caught) == house.about["codes"][2]
    assert house.call("renew", first)


def test_a_token_ends_in_its_time_and_on_demand(house: House, clock: Clock) -> None:
    own = house.served.credentials[house.about["tokens"][0]]
    token, _ = house.call("exchange", house.allowed()[house.about["back"]["code"]])
    clock.sleep(86400)
    with house.bare(own) as client:
        assert client.call(house.about["harmless"]).value  # the first one does not end by itself
    with house.bare(token) as client, pytest.raises(AuthError) as caught:
        client.call(house.about["harmless"])
    assert (refused(caught), caught.value.status) == (house.about["codes"][0], 401)
    house.served.expire()
    with house.bare(own) as client, pytest.raises(AuthError) as caught:
        client.call(house.about["harmless"])
    assert refused(caught) == house.about["codes"][0]


def test_the_time_of_tokens_can_be_told(catalog: Catalog, service: str, clock: Clock) -> None:
    house = House(catalog, service, clock=clock, token_life=5.0)
    with house.served, house.bare(house.served.credentials[house.about["tokens"][0]]) as client:
        assert client.call(house.about["harmless"]).value
        clock.sleep(5)
        with pytest.raises(AuthError) as caught:
            client.call(house.about["harmless"])
        assert refused(caught) == house.about["codes"][0]


def test_a_token_that_is_none_is_no_old_one(house: House) -> None:
    with house.bare("made up") as client, pytest.raises(AuthError) as caught:
        client.call(house.about["harmless"])
    assert refused(caught) not in house.about["codes"]


def test_tokens_stand_in_the_state_and_go_with_it(catalog: Catalog, service: str, tmp_path: Path) -> None:
    state = str(tmp_path / "state.sqlite")
    house = House(catalog, service, state=state)
    with house.served:
        token, _ = house.call("exchange", house.allowed()[house.about["back"]["code"]])
        house.served.expire()
    again = House(catalog, service, state=state)
    with again.served, again.client() as own, again.bare(token) as client:
        assert own.call(house.about["harmless"]).value  # the own account is good at each start
        with pytest.raises(AuthError) as caught:
            client.call(house.about["harmless"])
        assert refused(caught) == house.about["codes"][0]
        reset(service, state)
        with pytest.raises(AuthError) as caught:
            client.call(house.about["harmless"])
        assert refused(caught) not in house.about["codes"]


def test_the_other_edition_takes_the_same_tokens(catalog: Catalog) -> None:
    house = House(catalog, "bitrix24")
    with house.served, house.client() as client:
        house.served.expire()
        with pytest.raises(ServiceError) as caught:
            client.call("tasks.task.get@v3", {"id": 7})
        assert caught.value.kind == "not_found"
        assert client._planner.session.credentials.values["token"] != "sandbox-token"


def test_the_answer_to_an_exchange_stands_in_no_envelope(catalog: Catalog, clock: Clock) -> None:
    house = House(catalog, "bitrix24", clock=clock)
    with house.served:
        query = urlencode({**house.about["renew"][1], "refresh_token": "sandbox-refresh"})
        answer = httpx.get(f"{house.served.address}/oauth/token/?{query}").json()
    assert set(answer) >= {"access_token", "refresh_token", "expires", "expires_in", "member_id"}
    assert not set(answer) & {"result", "time", "total"}
    assert answer["expires"] == int(clock.now + 3600)


def test_an_exchange_of_nothing_known_is_refused(catalog: Catalog) -> None:
    house = House(catalog, "bitrix24")
    with house.served:
        for query in ("grant_type=refresh_token", "grant_type=password&client_id=a&client_secret=b&code=c"):
            answer = httpx.get(f"{house.served.address}/oauth/token/?{query}")
            assert answer.status_code == 400


def test_the_log_shows_no_code_no_state_and_no_token(house: House) -> None:
    lines: list[str] = []
    house.served.log = lines.append
    back = house.allowed()
    found = house.call("exchange", back[house.about["back"]["code"]])
    house.call("renew", found[1])
    said = json.dumps(lines)
    assert house.about["page"] in said
    for secret in (*found, *back.values(), "sandbox-key"):
        assert secret not in said.replace(house.served.address, "")


def test_nothing_is_exchanged_in_a_way_that_is_not_declared(catalog: Catalog, clock: Clock) -> None:
    with closing(Store(MEMORY)) as store:
        grants = Grants(catalog.service("library"), store, {"club": "paper"}, clock, None)
        with pytest.raises(Refused, match="grant"):
            grants.exchanged(catalog.method("library", "card.token"), {"want": "another"}, {})
        assert grants.exchanged(catalog.method("library", "ping"), {}, 7) == 7
