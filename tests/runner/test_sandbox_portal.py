"""The sandbox from the other side of a real socket, on services written for each test."""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from runner import AuthError, Client, ServiceError, SpecError
from runner.catalog import Catalog
from runner.sandbox import Served, reset, serve, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SERVICE = """
spec: 1
service: boats
title: Boats
profile:
  properties:
    scheme: {enum: [https, http], default: https}
    host: {type: string, format: hostname}
    owner: {type: integer}
    code: {type: string, writeOnly: true}
    token: {type: string, writeOnly: true}
    user: {type: string}
    password: {type: string, writeOnly: true}
    session: {type: string, writeOnly: true}
auth:
  link: {needs: [host, owner, code], base: "{scheme}://{host}/r/{owner}/{code}/"}
  token: {needs: [host, token], base: "{scheme}://{host}/api/", send: {body: {auth: "{token}"}}}
  head: {needs: [host, token], base: "{scheme}://{host}/head/", send: {header: {X-Key: "Key {token}"}}}
  query: {needs: [host, token], base: "{scheme}://{host}/query/", send: {query: {key: "{token}"}}}
  cookie: {needs: [host, token], base: "{scheme}://{host}/cookie/", send: {cookie: {key: "{token}"}}}
  basic: {needs: [host, user, password], base: "{scheme}://{host}/basic/", send: {basic: ["{user}", "{password}"]}}
  desk:
    needs: [host, user, password]
    base: "{scheme}://{host}/desk/"
    first: {method: desk.open, params: {user: "{user}", password: "{password}"}, keep: {session: session}}
    send: {header: {X-Session: "{session}"}}
  gate:
    needs: [host, gate]
    base: "{scheme}://{host}/gate/"
    first: {method: desk.enter, auth: basic, keep: {gate: "@"}}
    send: {header: {X-Gate: "{gate}"}}
request: {verb: POST}
response:
  result: value
  meta: {total: total, next: next}
  error: {when: fault, code: fault.code, message: fault.text}
errors:
  unauthorized: {kind: auth}
pages:
  offset: {send: {from: $next}, next: next, total: total, items: value, size: 2}
  keyset: {send: {order: {id: asc}, "filter.>id": $last, from: -1}, last: "[-1].id", items: value, size: 2, stop: short}
  number: {send: {page: $page, count: 2}, items: value, size: 2, stop: short}
  after: {send: {last: $last}, last: "[-1].id", items: value, size: 2, stop: short}
  token: {send: {at.mark: $next, at.most: 3}, next: more, items: value, size: 2}
  header: {send: {mark: $next}, next: header.X-Next, total: header.X-Total, items: value, size: 2}
  link: {follow: link.next, items: value, size: 2}
  inside: {follow: "paging.next", items: value, size: 2}
batch:
  method: batch
  size: 3
  commands: calls
  command: "{method}?{query}"
  halt: stop
  reference: $answer
  answers: {results: value.done, errors: value.faults, meta: {total: value.totals}}
encode:
  yn: {"true": "Y", "false": "N"}
  one: {"true": 1, "false": 0}
  file: ["{name}", "{base64}"]
  data: "data:{type};base64,{base64}"
types: {id: {type: integer}}
variants:
  v2:
    auth: {link: {base: "{scheme}://{host}/r/{owner}/{code}/v2/"}}
    batch:
      as: list
      command: {call: "{method}", with: "{params}", as: "{key}"}
      halt: null
      all_or_nothing: true
      answers: {results: value, errors: null, meta: null}
  v3:
    auth: {link: {base: "{scheme}://{host}/r/{owner}/{code}/v3/"}}
    batch:
      as: list
      command: {verb: "{verb}", path: "{path}", body: "{params}"}
      halt: null
      answers: {results: null, errors: null, meta: null, items: "answers[]", status: status, body: body}
  v4:
    auth: {link: {base: "{scheme}://{host}/r/{owner}/{code}/v4/"}}
    batch:
      as: list
      command: "{method}?{query}"
      answers: {results: value.done, errors: value.faults, meta: null}
  v5:
    auth: {link: {base: "{scheme}://{host}/r/{owner}/{code}/v5/"}}
    batch:
      as: list
      command: {call: "{method}", as: "{key}"}
      answers: {results: null, errors: null, meta: null, items: answers, key: id, body: body}
  v6:
    auth: {link: {base: "{scheme}://{host}/r/{owner}/{code}/v6/"}}
    batch: {answers: {results: null, errors: null, meta: null, items: answers}}
"""
DECLARED = """
sandbox:
  credentials: {scheme: http, host: "{host}", owner: 7, code: sesame, token: toktok, user: anna, password: "a:b"}
  success: {body: {value: "{value}", total: "{total}", next: "{next}", time: {at: "{now}", took: "{elapsed}"}}}
  refusal: {status: 400, body: {fault: {code: "{code}", text: "{message}", status: "{status}"}}}
  refusals:
    absent: {status: 404, code: 7, message: "{method} finds no {id}"}
    missing: {message: "give {name}"}
  verbs:
    add: {does: create, from: fields, answer: "{id}"}
    get: {does: read, key: id}
    list: {does: select, filter: filter, order: order, select: select}
    change: {does: change, from: fields}
    delete: {does: remove}
    me: {does: account}
    fields: {does: describe}
    batch: {does: batch}
  operators:
    {">": ">", ">=": ">=", "<": "<", "<=": "<=", "!": "!=", "@": in, "!@": not in, "%": contains, "><": between}
  collections:
    boat: {seed: [{id: 1, name: Swan, sails: 2}, {name: Утка, sails: "10"}]}
    Crew: {id: ID, text: true, seed: [{ID: 7, NAME: Anna}, {ID: x9, NAME: Oleg}]}
"""
METHODS = {
    "boat.add": "params: {fields: {type: object}}\nreturns: {$ref: '#id'}",
    "boat.get": "params: {id: {$ref: '#id'}}",
    "boat.list": "params: {filter: {type: [object, array]}, order: {}, select: {}, from: {type: integer}}\n"
    "pages: [keyset, offset]",
    "boat.change": "params: {id: {$ref: '#id'}, fields: {}}",
    "boat.delete": "params: {id: {$ref: '#id'}}",
    "boat.fields": "params: {}\nexamples: [{params: {}, response: {value: {id: {}}, about: all}}]",
    "crew.add": "params: {NAME: {type: string}}",
    "crew.enlist": "params: {NAME: {type: string}}\nsandbox: {does: create, collection: crew, answer: {row: '{row}'}}",
    "crew.get": "params: {id: {}}",
    "crew.me": "params: {}",
    "nobody.me": "params: {}",
    "batch": "params: {calls: {type: [object, array]}, stop: {encode: one}}",
    "desk.open": "params: {user: {}, password: {}}",
    "desk.enter": "auth: [basic]\nparams: {}\nreturns: {type: string, examples: [open]}",
    "ping": "params: {}",
}


@dataclass
class Port:
    """A sandbox and a way to ask it plainly."""

    served: Served

    def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection(self.served.address.removeprefix("http://"), timeout=5)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
        try:
            connection.request(verb, path, content, sent)
            reply = connection.getresponse()
            text = reply.read().decode()
            kind = reply.headers.get("Content-Type", "")
            return reply.status, json.loads(text) if "json" in kind else text, dict(reply.headers)
        finally:
            connection.close()

    def call(self, name: str, body: Any = None, **headers: str) -> Any:
        status, answer, _ = self.ask("POST", f"/r/7/sesame/{name}", body, **headers)
        return answer.get("value", (status, answer)) if isinstance(answer, dict) else (status, answer)

    def fault(self, name: str, body: Any = None, **headers: str) -> tuple[int, Any, str]:
        status, answer, _ = self.ask("POST", f"/r/7/sesame/{name}", body, **headers)
        return status, answer["fault"]["code"], answer["fault"]["text"]


def write(folder: Path, service: str = SERVICE + DECLARED, name: str = "boats", **methods: str) -> str:
    """A folder of methods with this service in it; each method by its name, `__` for a dot, `_at_` for a variant."""
    root = folder / "methods"
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / "_service.yaml").write_text(service, encoding="utf-8")
    for key, text in methods.items():
        full, _, variant = key.replace("__", ".").partition("_at_")
        head = f"method: {full}\nsummary: Do it\neffect: write\n" + (f"variant: {variant}\n" if variant else "")
        file = f"{full}@{variant}.yaml" if variant else f"{full}.yaml"
        (root / name / file).write_text(head + text, encoding="utf-8")
    return str(root)


@pytest.fixture
def sail(tmp_path: Path) -> Iterator[Callable[..., Port]]:
    """Starts a sandbox of the service with some more methods."""
    served: list[Served] = []

    def make(
        service: str = SERVICE + DECLARED, state: str = ":memory:", host: str = "127.0.0.1", **methods: str
    ) -> Port:
        known = {name.replace(".", "__"): text for name, text in METHODS.items()} | methods
        served.append(start(Catalog(write(tmp_path, service, **known)), "boats", state=state, host=host))
        return Port(served[-1])

    yield make
    for one in served:
        one.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Catalog:
    """The service with its usual methods, compiled once."""
    known = {name.replace(".", "__"): text for name, text in METHODS.items()}
    return Catalog(write(tmp_path_factory.mktemp("fleet"), **known))


@pytest.fixture
def port(fleet: Catalog) -> Iterator[Port]:
    with start(fleet, "boats", state=":memory:") as served:
        yield Port(served)


# What a call does to the state


def test_what_every_write_takes_is_no_field_of_a_row(sail: Callable[..., Port]) -> None:
    port = sail(SERVICE + "common: {write: {why: {type: string}}}\n" + DECLARED)
    assert port.call("crew.enlist", {"NAME": "Ivan", "why": "storm"})["row"] == {"NAME": "Ivan", "ID": "8"}


def test_a_row_is_made_read_changed_and_removed(port: Port) -> None:
    assert port.call("boat.add", {"fields": {"name": "Gull"}}) == 3
    assert port.call("boat.get", {"id": 3}) == {"name": "Gull", "id": 3}
    assert port.call("boat.change", {"id": 3, "fields": {"name": "Tern", "id": 99}}) is True
    assert port.call("boat.get", {"id": 3}) == {"name": "Tern", "id": 3}
    assert port.call("boat.delete", {"id": 3}) is True
    assert port.fault("boat.get", {"id": 3}) == (404, 7, "boat.get finds no 3")
    assert port.fault("boat.delete", {"id": 3})[0] == 404
    assert port.fault("boat.change", {"id": 3})[0] == 404
    assert port.call("boat.add", {}) == 4


def test_a_call_is_answered_with_nothing_where_its_method_says_so(sail: Callable[..., Port]) -> None:
    port = sail(
        boat__delete="params: {id: {$ref: '#id'}}\nsandbox: {answer: '{null}'}",
        ring="params: {}\nsandbox: {does: example, answer: {said: '{null}'}}",
    )
    assert port.call("boat.delete", {"id": 1}) is None
    assert port.fault("boat.get", {"id": 1})[0] == 404
    assert port.call("ring", {}) == {"said": None}


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["Swan", "Утка"]),
        ({"by": "name"}, ["Swan", "Утка"]),
        ({"by": "name", "order": "DESC"}, ["Утка", "Swan"]),
        ({"order": "desc"}, ["Утка", "Swan"]),
        ({"by": "sails", "order": "asc"}, ["Swan", "Утка"]),
    ],
)
def test_a_field_and_a_direction_put_rows_in_order(
    asked: dict[str, str], names: list[str], sail: Callable[..., Port]
) -> None:
    port = sail(boat__list="params: {by: {}, order: {}}\nsandbox: {sort: by}")
    assert [row["name"] for row in port.call("boat.list", asked)] == names


def test_the_names_of_fields_are_those_of_their_collection(sail: Callable[..., Port]) -> None:
    port = sail(
        SERVICE + DECLARED.replace("  collections:\n", "  collections:\n    mate: {names: camel}\n"),
        mate__add="params: {fields: {}}\nsandbox: {answer: {row: '{row}'}}",
        mate__change="params: {id: {}, fields: {}}",
        mate__list="params: {filter: {}, order: {}, select: {}, by: {}}",
        mate__find="params: {by: {}, way: {}}\nsandbox: {does: select, sort: by, order: way}",
    )
    made = port.call("mate.add", {"fields": {"FULL_NAME": "Ash", "RANK": 2, "byHand": {"AS_IS": 1}, "Odd_one": 3}})
    assert made["row"] == {"fullName": "Ash", "rank": 2, "byHand": {"AS_IS": 1}, "Odd_one": 3, "id": 1}
    port.call("mate.add", {"fields": {"FULL_NAME": "Elm", "RANK": 1}})
    assert port.call("mate.change", {"id": 2, "fields": {"RANK": 5}}) is True
    found = port.call("mate.list", {"filter": {">=RANK": 2}, "order": {"FULL_NAME": "desc"}, "select": ["FULL_NAME"]})
    assert found == [{"fullName": "Elm", "id": 2}, {"fullName": "Ash", "id": 1}]
    assert [row["id"] for row in port.call("mate.find", {"by": "FULL_NAME", "way": "desc"})] == [2, 1]


def test_a_success_has_the_declared_envelope(port: Port) -> None:
    _, answer, _ = port.ask("POST", "/r/7/sesame/boat.get", {"id": 1})
    assert set(answer) == {"value", "time"}
    assert answer["time"]["took"] >= 0
    assert answer["time"]["at"].endswith("+00:00")


def test_a_call_without_the_id_is_refused(port: Port) -> None:
    assert port.fault("boat.get", {}) == (400, "missing", "give id")


@pytest.mark.parametrize("key", [True, "é\n", {"a": 1}, 10**30, 1.5])
def test_what_can_be_no_id_is_absent(port: Port, key: Any) -> None:
    assert port.fault("crew.get", {"id": key})[0] == 404


def test_fields_must_be_fields(sail: Callable[..., Port]) -> None:
    port = sail(boat__add="params: {fields: {}}")
    assert port.fault("boat.add", {"fields": 5}) == (400, "invalid", "fields holds no fields")
    assert port.fault("boat.change", {"id": 1, "fields": [1]}) == (400, "invalid", "fields holds no fields")
    assert port.call("boat.add", {"fields": [{"name": "A"}, {"name": "B"}]}) == 4


def test_ids_are_text_where_the_collection_says_so(port: Port) -> None:
    assert port.call("crew.add", {"name": "Ivan"}) == "8"
    assert port.call("crew.get", {"id": "x9"}) == {"ID": "x9", "NAME": "Oleg"}
    assert port.call("crew.enlist", {"NAME": "Mary"}) == {"row": {"NAME": "Mary", "ID": "9"}}


def test_an_id_is_a_number_where_the_method_promises_one(sail: Callable[..., Port]) -> None:
    port = sail(
        crew__add="params: {NAME: {}}\nreturns: {type: integer}",
        crew__get="params: {}\nreturns: {dependentRequired: {}}",
    )
    assert port.call("crew.add", {"NAME": "Ivan"}) == 8
    port = sail(crew__add="params: {NAME: {}}\nreturns: {contains: {type: integer}}")
    assert port.call("crew.add", {"NAME": "Ivan"}) == "8"


def test_the_account_has_a_row_of_its_own(port: Port) -> None:
    assert port.call("crew.me") == {"ID": "7", "NAME": "Anna"}
    assert port.call("nobody.me") is None


def test_without_a_row_of_its_own_the_account_is_the_first_row(sail: Callable[..., Port]) -> None:
    port = sail(boat__me="params: {}")
    assert port.call("boat.me")["name"] == "Swan"


def test_a_collection_can_be_told_by_a_param(sail: Callable[..., Port]) -> None:
    port = sail(part__add="params: {kind: {}, fields: {}}\nsandbox: {collection: 'part.{kind}'}")
    assert [port.call("part.add", {"kind": kind, "fields": {}}) for kind in (1, 2, 1)] == [1, 1, 2]


def test_a_verb_without_its_key_answers_the_example(sail: Callable[..., Port]) -> None:
    port = sail(port__get="params: {}\nexamples: [{params: {}, response: {value: 5}}]")
    assert port.call("port.get") == 5


def test_a_method_may_answer_a_constant(sail: Callable[..., Port]) -> None:
    port = sail(port__close="params: {}\nsandbox: {answer: {closed: true}}")
    assert port.call("port.close") == {"closed": True}


def test_an_example_answers_what_has_no_state(port: Port) -> None:
    status, answer, _ = port.ask("POST", "/r/7/sesame/boat.fields")
    assert (status, answer["value"], answer["about"]) == (200, {"id": {}}, "all")


def test_the_example_with_just_these_params_comes_first(sail: Callable[..., Port]) -> None:
    port = sail(
        ping="params: {n: {type: integer}}\nexamples:\n"
        "  - {params: {n: 0}, status: 409, response: {fault: {code: no}}}\n"
        "  - {params: {n: 1}, status: 201, response: {value: 1}}\n"
        "  - {params: {n: 2}, response: {value: 2}}\n"
    )
    assert port.ask("POST", "/r/7/sesame/ping", {"N": 0})[:2] == (409, {"fault": {"code": "no"}})
    assert port.ask("POST", "/r/7/sesame/ping", {"n": 5})[0] == 201
    assert port.call("ping", {"n": 2}) == 2
    done = port.call("batch", {"calls": {"a": "ping?n=0"}})
    assert done["faults"] == {"a": {"fault": {"code": "no"}}}


def test_a_value_is_put_where_the_method_reads_it(sail: Callable[..., Port]) -> None:
    port = sail(ping="params: {}\nresponse: {result: value.deep}\nreturns: {type: integer}")
    assert port.call("ping") == {"deep": 1}


# Lists


def test_a_filter_knows_the_declared_operators(port: Port) -> None:
    def names(wanted: Any) -> list[str]:
        return [row["name"] for row in port.call("boat.list", {"filter": wanted})]

    assert names({">sails": 2}) == ["Утка"]
    assert names({">=sails": "2", "<=sails": 5, "<sails": 3}) == ["Swan"]
    assert names({"NAME": "Swan"}) == ["Swan"]
    assert names({"!name": "Swan"}) == ["Утка"]
    assert names({"@id": [1, 5]}) == ["Swan"]
    assert names({"@id": 1}) == ["Swan"]
    assert names({"id": [2]}) == ["Утка"]
    assert names({"!@id": [1]}) == ["Утка"]
    assert names({"%name": "wa"}) == ["Swan"]
    assert names({"><sails": [1, 3]}) == ["Swan"]
    assert names({"><sails": 2}) == ["Swan"]
    assert names({"><sails": []}) == []
    assert names({"colour": None}) == ["Swan", "Утка"]
    assert names([["name", "Swan"]]) == ["Swan"]
    assert names([["sails", ">", 2], ["sails", "not in", [5]]]) == ["Утка"]


def test_a_filter_looks_into_lists(port: Port) -> None:
    port.call("boat.add", {"fields": {"name": "Gull", "tags": ["a", "b"]}})
    assert len(port.call("boat.list", {"filter": {"tags": "b"}})) == 1
    assert len(port.call("boat.list", {"filter": {"!tags": "b"}})) == 2


@pytest.mark.parametrize("wanted", [["name"], [["a", "like", "b"]], [[1, 2, 3, 4]]])
def test_a_condition_must_be_one(port: Port, wanted: Any) -> None:
    assert port.fault("boat.list", {"filter": wanted})[:2] == (400, "invalid")


@pytest.mark.parametrize("order", [{"sails": "DESC"}, ["-sails", "id"], "-sails, name", {"name": "desc", "id": "asc"}])
def test_rows_are_put_in_order(port: Port, order: Any) -> None:
    assert [row["id"] for row in port.call("boat.list", {"order": order})] == [2, 1]


@pytest.mark.parametrize("wanted", [["name"], "NAME, x", ["na*"]])
def test_only_wanted_fields_are_answered(port: Port, wanted: Any) -> None:
    assert port.call("boat.list", {"select": wanted})[0] == {"id": 1, "name": "Swan"}


@pytest.mark.parametrize(
    ("style", "params"),
    [
        ("offset", "{from: {type: integer}}"),
        ("keyset", "{filter: {type: object}, order: {}, from: {}}"),
        ("number", "{}"),
        ("after", "{last: {type: integer}}"),
        ("token", "{at: {type: object, properties: {mark: {type: string}}}}"),
        ("token", "{at: {contains: {}}}"),
        ("header", "{mark: {contains: {}}}"),
        ("link", "{filter: {}}"),
        ("inside", "{}"),
    ],
)
@pytest.mark.usefixtures("home")
def test_every_page_is_walked(tmp_path: Path, style: str, params: str) -> None:
    methods = write(
        tmp_path, SERVICE + DECLARED, boat__list=f"params: {params}\npages: [{style}]", boat__add="params: {}"
    )
    with Client("boats", sandbox=":memory:", methods=methods) as client:
        for _ in range(5):
            client.call("boat.add")
        assert [row["id"] for row in client.iterate("boat.list")] == [1, 2, 3, 4, 5, 6, 7]


def test_a_page_says_what_its_style_promises(port: Port) -> None:
    for _ in range(3):
        port.call("boat.add", {})
    _, first, _ = port.ask("POST", "/r/7/sesame/boat.list", {})
    _, last, _ = port.ask("POST", "/r/7/sesame/boat.list", {"from": 4})
    _, bare, _ = port.ask("POST", "/r/7/sesame/boat.list", {"from": -1})
    assert (first["total"], first["next"], len(first["value"])) == (5, 2, 2)
    assert (last["total"], "next" in last, len(last["value"])) == (5, False, 1)
    assert ("total" in bare, "next" in bare) == (False, False)


def test_a_list_without_pages_answers_all(sail: Callable[..., Port]) -> None:
    port = sail(boat__list="params: {}")
    status, answer, _ = port.ask("POST", "/r/7/sesame/boat.list")
    assert (status, answer["total"], len(answer["value"])) == (200, 2, 2)


def test_a_mark_that_is_no_number_begins_anew(sail: Callable[..., Port]) -> None:
    port = sail(boat__list="params: {from: {}, page: {}}\npages: [offset]")
    assert len(port.call("boat.list", {"from": "x"})) == 2
    port = sail(boat__list="params: {page: {}}\npages: [link]")
    _, _, headers = port.ask("POST", "/r/7/sesame/boat.list?rest_of_the_rows=x&page=1")
    assert "Link" not in headers


# Credentials and addresses


def test_every_way_of_authorising_is_checked(port: Port) -> None:
    basic = {"Authorization": "Basic YW5uYTphOmI="}
    assert port.ask("POST", "/r/7/sesame/ping")[0] == 200
    assert port.ask("POST", "/api/ping", {"auth": "toktok"})[0] == 200
    assert port.ask("POST", "/api/ping", "auth=toktok")[0] == 200
    assert port.ask("POST", "/api/ping?auth=toktok")[0] == 200
    assert port.ask("POST", "/head/ping", X_Key="Key toktok")[0] == 200
    assert port.ask("POST", "/query/ping?key=toktok")[0] == 200
    assert port.ask("POST", "/cookie/ping", Cookie="a=1; key=toktok")[0] == 200
    assert port.ask("POST", "/basic/ping", **basic)[0] == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/r/7/other/ping", {}),
        ("/r/8/sesame/ping", {}),
        ("/api/ping", {}),
        ("/head/ping", {"X_Key": "toktok"}),
        ("/query/ping?key=", {}),
        ("/cookie/ping", {}),
        ("/basic/ping", {}),
        ("/basic/ping", {"Authorization": "Basic !"}),
        ("/desk/ping", {"X_Session": "sandbox-session"}),
        ("/r/7/sesame/desk.enter", {}),
    ],
)
def test_other_credentials_are_refused(port: Port, path: str, headers: dict[str, str]) -> None:
    status, answer, _ = port.ask("POST", path, {}, **headers)
    assert status in {400, 404}
    assert answer["fault"]["code"] in {"unauthorized", "not_found"}


def test_a_first_call_yields_a_credential(port: Port) -> None:
    assert port.ask("POST", "/desk/desk.open", {"user": "anna", "password": "x"})[1]["fault"]["code"] == "unauthorized"
    assert port.ask("POST", "/desk/ping", X_Session="sandbox-session")[0] == 400
    status, answer, _ = port.ask("POST", "/desk/desk.open", {"user": "anna", "password": "a:b"})
    assert (status, answer["value"]) == (200, {"session": "sandbox-session"})
    assert port.ask("POST", "/desk/ping", X_Session="sandbox-session")[0] == 200
    assert port.ask("POST", "/desk/ping", X_Session="other")[0] == 400
    assert port.ask("POST", "/basic/desk.enter", Authorization="Basic YW5uYTphOmI=")[1]["value"] == "open"
    assert port.ask("POST", "/gate/ping", X_Gate="open")[0] == 200


def test_a_way_of_authorising_may_need_more_of_an_input_in_a_batch_too(sail: Callable[..., Port]) -> None:
    port = sail(ring="params: {bell: {}}\nby_auth: {link: {required: [bell]}}\nsandbox: {does: example}")
    assert port.fault("ring", {})[:2] == (400, "missing")
    assert port.ask("POST", "/r/7/sesame/ring", {"bell": 1})[0] == 200
    assert port.ask("POST", "/api/ring", {"auth": "toktok"})[0] == 200
    found = port.call("batch", {"calls": {"a": "ring?bell=1", "b": "ring"}})
    assert list(found["done"]) == ["a"]
    assert list(found["faults"]) == ["b"]


def test_a_client_signs_in_by_itself(tmp_path: Path) -> None:
    methods = write(
        tmp_path,
        ping="auth: [desk]\nparams: {}\nexamples: [{params: {}, response: {value: 1}}]",
        desk__open=METHODS["desk.open"],
    )
    with Client("boats", sandbox=":memory:", methods=methods) as client:
        assert client.call("ping").value == 1
        client.call("ping")


def test_an_unknown_address_is_refused(port: Port) -> None:
    assert port.fault("boat.sink") == (400, "not_found", "There is no such method")
    assert port.ask("POST", "/")[0] == 400
    assert port.ask("POST", "/r/7/sesame/v2/boat.sink")[0] == 400
    assert port.ask("POST", "/r/7/sesame/boat.add%0A")[0] == 400


def test_the_verb_must_be_the_methods_own(port: Port, sail: Callable[..., Port]) -> None:
    assert port.ask("GET", "/r/7/sesame/ping")[1]["fault"]["code"] == "method_not_allowed"
    loose = sail(SERVICE + DECLARED + "  any_verb: true\n")
    assert loose.ask("GET", "/r/7/sesame/boat.get?id=1")[1]["value"]["name"] == "Swan"


def test_the_most_literal_address_wins(sail: Callable[..., Port]) -> None:
    port = sail(
        m__one="request: {verb: GET, path: 'boats/{id}'}\nparams: {id: {in: path}}\nsandbox: {answer: one}",
        m__two="request: {verb: GET, path: boats/old}\nparams: {}\nsandbox: {answer: two}",
        m__three="request: {verb: PUT, path: 'boats/{id}'}\nparams: {id: {in: path}}\nsandbox: {answer: three}",
        m__four="request: {verb: GET, path: 'files/{+path}{/tail}'}\nparams: {path: {in: path}, tail: {in: path}}\n"
        "sandbox: {answer: four}",
        m__five="request: {base: ../../other/}\nparams: {}\nsandbox: {answer: five}",
        m__six="request: {path: 'do/{method}'}\nparams: {}\nsandbox: {answer: six}",
        m__seven_at_v2="request: {path: 'x{/variant}/seven'}\nparams: {}\nsandbox: {answer: seven}",
    )
    broken = "request: {path: 'broken/{id}'}\nparams: {id: {$ref: '#nothing'}}"
    assert port.ask("GET", "/r/7/sesame/boats/5")[1]["value"] == "one"
    assert port.ask("GET", "/r/7/sesame/boats/old")[1]["value"] == "two"
    assert port.ask("PUT", "/r/7/sesame/boats/old")[1]["value"] == "three"
    assert port.ask("GET", "/r/7/sesame/files/a/b%20c")[1]["value"] == "four"
    assert port.ask("POST", "/r/other/m.five")[1]["value"] == "five"
    assert port.call("do/m.SIX") == "six"
    assert port.ask("POST", "/r/7/sesame/do/m.seven")[0] == 400
    port = sail(m__one=broken)
    assert port.ask("POST", "/r/7/sesame/broken/1")[0] == 400


def test_a_file_that_is_dropped_answers_at_once(sail: Callable[..., Port], tmp_path: Path) -> None:
    port = sail()
    assert port.fault("whale.see")[0] == 400
    write(tmp_path, whale__see="params: {}\nsandbox: {answer: there}")
    assert port.call("whale.see") == "there"


def test_calls_may_not_leave_the_machine(tmp_path: Path) -> None:
    away = SERVICE.replace("{scheme}://{host}/api/", "https://boats.example/api/")
    with pytest.raises(SpecError, match="would leave it"):
        start(Catalog(write(tmp_path, away + DECLARED)), "boats", state=":memory:")
    away = SERVICE.replace("{scheme}://{host}/api/", "{scheme}://{nobody}/api/")
    with pytest.raises(SpecError, match="would leave it"):
        start(Catalog(write(tmp_path, away + DECLARED)), "boats", state=":memory:")


# A service that declares nothing


def test_credentials_are_made_where_none_are_declared(tmp_path: Path) -> None:
    service = """
spec: 1
service: bare
title: Bare
profile:
  properties:
    site: {type: string, format: uri, default: https://bare.example}
    host: {type: string, format: hostname}
    scheme: {enum: [https, http]}
    area: {enum: [north, south]}
    number: {type: integer, minimum: 5}
    lang: {default: en}
    key: {type: string, writeOnly: true}
auth: {key: {needs: [site], base: "{site}/", send: {header: {X-Key: "{key}"}}}}
response: {error: {when: error, code: error, message: error.text}}
"""
    methods = write(
        tmp_path,
        service,
        "bare",
        thing__get="params: {id: {}}\nrequired: [id]\nreturns: {type: array, items: {type: integer}}",
    )
    with start(Catalog(methods), "bare", state=":memory:") as served:
        host = served.address.removeprefix("http://")
        assert served.credentials == {
            "site": served.address,
            "host": host,
            "scheme": "http",
            "area": "north",
            "number": 5,
            "lang": "en",
            "key": "sandbox",
        }
        port = Port(served)
        assert port.ask("POST", "/thing.get", {"id": 1}, X_Key="sandbox")[1] == [1]
        assert port.ask("POST", "/thing.get", {}, X_Key="sandbox")[:2] == (400, {"error": "missing"})
        assert port.ask("POST", "/thing.get", {}, X_Key="x")[0] == 401
        assert port.ask("POST", "/thing.put")[0] == 404


@pytest.mark.parametrize(
    ("response", "body"),
    [
        ("{}", {"error": "unauthorized", "message": "These are not the credentials of the sandbox"}),
        ("{error: {when: failed, code: code || no}}", {"code": "unauthorized", "failed": True}),
        (
            "{error: {when: 'ok == `false`', code: 'errors[0].code'}}",
            {"error": "unauthorized", "message": "These are not the credentials of the sandbox"},
        ),
    ],
)
def test_a_refusal_stands_where_the_service_reads_it(tmp_path: Path, response: str, body: Any) -> None:
    service = (
        "spec: 1\nservice: bare\ntitle: Bare\nprofile: {properties: {host: {format: hostname}, key: {}}}\n"
        f"auth: {{a: {{base: 'http://{{host}}/', send: {{header: {{X: '{{key}}'}}}}}}}}\nresponse: {response}\n"
    )
    with start(Catalog(write(tmp_path, service, "bare", ping="params: {}")), "bare", state=":memory:") as served:
        status, answer, _ = Port(served).ask("POST", "/ping")
    assert (status, {key: value for key, value in answer.items() if key in body}) == (401, body)


# Batches


def test_a_batch_is_unfolded(port: Port) -> None:
    calls = {
        "a": "boat.add?fields[name]=Gull",
        "b": "boat.get?id=$answer[a]",
        "c": "boat.list?filter[name]=$answer[b][name]",
    }
    assert port.call("batch", {"calls": calls}) == {
        "done": {"a": 3, "b": {"name": "Gull", "id": 3}, "c": [{"name": "Gull", "id": 3}]},
        "totals": {"c": 1},
        "faults": {},
    }


def test_references_are_followed_into_texts_lists_and_objects(port: Port) -> None:
    calls = {
        "l": "boat.list",
        "n": "boat.add?fields[name]=after $answer[l][0][name] and $answer[l][9][name]&fields[of][]=$answer[l][1]",
        "t": "crew.add?NAME=$answer[n]",
    }
    done = port.call("batch", {"calls": calls})["done"]
    row = port.call("boat.get", {"id": done["n"]})
    assert row["name"] == "after Swan and $answer[l][9][name]"
    assert row["of"] == [{"name": "Утка", "sails": "10", "id": 2}]
    assert done["t"] == "8"


def test_a_refusal_stands_in_its_calls_place(port: Port) -> None:
    calls = {"a": "boat.get?id=77", "b": "boat.sink", "c": "batch?calls[x]=ping"}
    faults = port.call("batch", {"calls": calls})["faults"]
    assert [faults[key]["fault"]["code"] for key in "abc"] == [7, "not_found", "not_in_a_batch"]
    halted = port.call("batch", {"calls": calls, "stop": 1})
    assert list(halted["faults"]) == ["a"]


def test_a_batch_must_hold_calls_and_not_too_many(port: Port) -> None:
    assert port.fault("batch", {"calls": ["ping"] * 4}) == (400, "too_many", "The batch holds too many calls")
    assert port.fault("batch", {}) == (400, "missing", "give calls")
    faults = port.call("batch", {"calls": {"a": 5, "b": "?"}})["faults"]
    assert len(faults) == 2
    assert list(port.call("batch", {"calls": ["ping", "ping"]})["done"]) == ["0", "1"]


def test_a_batch_may_be_all_or_nothing(sail: Callable[..., Port]) -> None:
    port = sail(
        batch_at_v2="params: {calls: {type: array}}",
        boat__add_at_v2=METHODS["boat.add"],
        boat__get_at_v2=METHODS["boat.get"],
    )
    fine = [{"call": "boat.add", "with": {"fields": {"name": "A"}}, "as": "x"}, {"call": "boat.get", "with": {"id": 1}}]
    assert port.call("v2/batch", {"calls": fine}) == {"x": 3, "1": {"id": 1, "name": "Swan", "sails": 2}}
    bad = [fine[0], {"call": "boat.get", "with": {"id": 77}, "as": "y"}]
    assert port.fault("v2/batch", {"calls": bad})[0] == 404
    assert port.call("v2/boat.add", {"fields": {}}) == 4
    assert port.fault("v2/batch", {"calls": [{"call": "boat.get", "with": 5}]})[1] == "invalid"
    assert port.fault("v2/batch", {"calls": [{"call": "boat.sink"}]})[1] == "not_found"
    assert port.fault("v2/batch", {"calls": [5]})[1] == "invalid"


def test_a_batch_may_hold_addresses(sail: Callable[..., Port]) -> None:
    port = sail(
        batch_at_v3="params: {calls: {type: array}}",
        boat__get_at_v3="request: {verb: GET, path: 'boats/{id}'}\n"
        "params: {id: {$ref: '#id', in: path}, full: {type: boolean, in: query}}",
    )
    calls = [
        {"verb": "GET", "path": "/r/7/sesame/v3/boats/1?full=1", "body": {}},
        {"verb": "GET", "path": "/r/7/sesame/v3/boats/9"},
        {"verb": "GET", "path": "/nowhere"},
    ]
    _, answer, _ = port.ask("POST", "/r/7/sesame/v3/batch", {"calls": calls})
    assert [entry["status"] for entry in answer["answers"]] == [200, 404, 400]
    assert answer["answers"][0]["body"]["value"]["name"] == "Swan"


def test_a_batch_may_answer_by_place_by_key_or_bare(sail: Callable[..., Port]) -> None:
    calls = "params: {calls: {}}"
    one = "sandbox: {answer: 1}"
    pings = {"ping_at_v4": one, "ping_at_v5": one, "ping_at_v6": one}
    port = sail(batch_at_v4=calls, batch_at_v5=calls, batch_at_v6=calls, **pings)
    done = port.call("v4/batch", {"calls": ["ping?", "none"]})
    assert (done["done"], done["faults"][0]) == ([1, None], None)
    _, keyed, _ = port.ask("POST", "/r/7/sesame/v5/batch", {"calls": [{"call": "ping", "as": "k"}]})
    assert (keyed["answers"][0]["id"], keyed["answers"][0]["body"]["value"]) == ("k", 1)
    _, bare, _ = port.ask("POST", "/r/7/sesame/v6/batch", {"calls": {"a": "ping", "b": "none"}})
    assert (bare["answers"][0], bare["answers"][1]["fault"]["code"]) == (1, "not_found")


# State


def test_state_is_kept_in_a_file_and_reset(sail: Callable[..., Port], home: Path) -> None:
    port = sail(state="")
    assert port.call("boat.add", {}) == 3
    assert (home / "state" / "sandbox" / "boats.sqlite").exists()
    port.served.close()
    port.served.close()
    assert sail(state="").call("boat.add", {}) == 4
    reset("boats")
    assert sail(state="").call("boat.add", {}) == 3
    reset("others")
    reset("boats", ":memory:")


def test_a_disk_that_cant_be_used_is_replaced_by_memory(sail: Callable[..., Port], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "broken").write_text("no database" * 100)
    for place in ("file/x.sqlite", "broken"):
        port = sail(state=str(tmp_path / place))
        assert "kept in memory" in port.served.note
        assert port.call("boat.add", {}) == 3
    reset("boats", str(tmp_path / "broken"))
    assert not (tmp_path / "broken").exists()
    assert sail().served.note == ""


def test_many_threads_and_two_sandboxes_share_one_file(sail: Callable[..., Port], tmp_path: Path) -> None:
    ports = [sail(state=str(tmp_path / "one.sqlite")) for _ in range(2)]
    found: list[int] = []

    def work(port: Port) -> None:
        found.extend(port.call("boat.add", {}) for _ in range(5))

    threads = [threading.Thread(target=work, args=(port,)) for port in ports * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(3, 43))


def test_a_shelf_is_sown_once(sail: Callable[..., Port], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.sandbox.store import Store

    answers = iter([False, True])
    monkeypatch.setattr(Store, "_used", lambda self, name: next(answers))
    store = Store(":memory:")
    store.shelf("boat", "id", [{"id": 1}])
    assert store.run("SELECT * FROM rows") == []
    store.close()


def test_a_failed_change_leaves_nothing(tmp_path: Path) -> None:
    from runner.sandbox.store import Store

    store = Store(":memory:")
    shelf = store.shelf("boat")
    with pytest.raises(sqlite3.Error), store.change():  # noqa: PT012 - both steps are one change
        shelf.add({})
        store.run("nonsense")
    assert shelf.rows() == []
    store.close()


# The wire


def test_a_client_calls_it(fleet: Catalog) -> None:
    with Client("boats", sandbox=":memory:", methods=fleet) as client:
        assert client.call("boat.add", {"fields": {"name": "x"}}).value == 3
        with pytest.raises(ServiceError) as caught:
            client.call("boat.get", id=9)
        assert (caught.value.status, caught.value.code) == (404, "7")
        done = client.batch({"a": ("boat.add", {"fields": {"name": "y"}}), "b": ("boat.get", {"id": "$answer[a]"})})
        assert (done["a"].value, done["b"].value["name"]) == (4, "y")


def test_other_credentials_are_an_auth_error(port: Port, fleet: Catalog) -> None:
    host = port.served.address.removeprefix("http://")
    with (
        Client("boats", methods=fleet, host=host, scheme="http", token="no") as client,
        pytest.raises(AuthError),
    ):
        client.call("ping")


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        ("{", {}, "can't be read"),
        ('{"a": NaN}', {}, "can't be read"),
        ('{"a": 1e999}', {}, "can't be read"),
        ("{}", {"Content_Type": "application/json; charset=nonsense"}, "can't be read"),
        (b'{"a": "\xff"}', {"Content_Type": "application/json"}, "can't be read"),
        ("x", {"Content_Type": "multipart/form-data"}, "no boundary"),
        ("5", {"Content_Type": "application/json"}, "neither"),
        ("words", {"Content_Type": "text/plain"}, "neither"),
        ("[" * 100_000, {}, "nested too deep"),
        ('{"fields": ' + '{"a":' * 900 + "1" + "}" * 901, {}, ""),
        ('{"sail": 1}', {}, "has no parameter sail"),
        ('{"fields": 1}', {}, "is not an object"),
    ],
)
def test_a_bad_body_is_refused(port: Port, body: Any, headers: dict[str, str], says: str) -> None:
    answer = port.ask("POST", "/r/7/sesame/boat.add", body, **headers)[1]
    assert says in str(answer)
    assert port.call("ping") is None


def test_an_input_that_is_too_deep_is_refused(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(*_: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr("runner.sandbox.verbs.run", deep)
    assert port.fault("ping") == (400, "invalid", "the input is nested too deep")


def test_a_mistake_in_the_sandbox_does_not_stop_it(sail: Callable[..., Port], monkeypatch: pytest.MonkeyPatch) -> None:
    port = sail(ping="params: {a: {$ref: '#nothing'}}")
    status, text, _ = port.ask("POST", "/r/7/sesame/ping")
    assert (status, "#nothing" in text) == (500, True)
    with monkeypatch.context() as patch:
        patch.setattr("runner.sandbox.verbs.run", lambda task: 1 / 0)
        status, text, _ = port.ask("POST", "/r/7/sesame/boat.list")
    assert (status, text.startswith("the sandbox failed: ZeroDivisionError in ")) == (500, True)
    assert len(port.call("boat.list")) == 2


def raw(port: Port, *parts: bytes) -> bytes:
    """What comes back when these bytes are sent and nothing more."""
    host, _, number = port.served.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(number)), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /r/7/sesame/ping HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST /r/7/sesame/ping HTTP/1.1\r\nContent-Length: 5\r\n\r\n{}", b"400"),
        (b"POST /r/7/sesame/ping HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", b"413"),
        (b"POST /r/7/sesame/ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"SING /r/7/sesame/ping HTTP/1.1\r\n\r\n", b"501"),
        (b"POST /r/7/sesame/ping HTTP/9.9\r\n\r\n", b"505"),
        (b"POST http://x.example/r/7/sesame/ping HTTP/1.0\r\n\r\n", b"200"),
        (b"POST /r/7/sesame/ping HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", b"100"),
    ],
)
def test_bad_http_is_answered_plainly(port: Port, head: bytes, status: bytes) -> None:
    assert raw(port, head).split()[1] == status
    assert port.call("ping") is None


def test_a_body_that_is_too_large_is_refused(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "MOST", 10)
    status, text, _ = port.ask("POST", "/r/7/sesame/ping", b"x" * 200_000)
    assert (status, "larger" in text) == (413, True)


def test_a_sandbox_that_listens_everywhere_is_called_here_and_closes(
    sail: Callable[..., Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = sail(host="0.0.0.0")
    assert port.served._server.socket.getsockname()[0] == "0.0.0.0"
    assert port.call("boat.add", {}) == 3
    woken: list[Any] = []
    connect = socket.create_connection

    def connected(place: Any, **words: Any) -> socket.socket:
        woken.append(place[0])
        return connect(place, **words)

    monkeypatch.setattr(socket, "create_connection", connected)
    port.served.close()
    assert woken == ["127.0.0.1"]  # some systems know no other name for it


def test_a_connection_is_kept_and_closed_with_the_sandbox(port: Port) -> None:
    connection = http.client.HTTPConnection(port.served.address.removeprefix("http://"), timeout=5)
    for _ in range(2):
        connection.request("POST", "/r/7/sesame/ping")
        assert connection.getresponse().read()
    waiting = threading.Thread(target=port.served.wait)
    waiting.start()
    port.served.close()
    waiting.join()
    assert connection.sock.recv(1) == b""
    connection.close()


def test_a_connection_that_breaks_off_is_nobodys_business(port: Port) -> None:
    host, _, number = port.served.address.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(number)), timeout=5)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.sendall(b"POST /r/7/sesame/ping HTTP/1.1\r\nContent-Le")
    connection.close()
    assert port.call("ping") is None


def test_the_log_holds_no_secret(sail: Callable[..., Port]) -> None:
    port = sail(
        boat__open="request: {path: 'boats/{id}/{pin}'}\n"
        "params: {id: {in: path}, pin: {in: path, writeOnly: true}}\nsandbox: {answer: 1}"
    )
    lines: list[str] = []
    port.served.log = lines.append
    port.call("boat.get", {"id": 1})
    port.ask("POST", "/r/8/wrong/boat.get?code=hidden")
    port.ask("POST", "/r/8/wrong-too/boat.none")
    port.call("boats/5/1234")
    raw(port, b"SING /r/7/sesame\x1b/ping HTTP/1.1\r\n\r\n")
    assert lines == [
        "POST /r/7/***/boat.get 200",
        "POST /r/8/***/boat.get 400",
        "POST /… 400",
        "POST /r/7/***/boats/5/*** 200",
        "SING /… 501",
    ]
    assert port.served.log is not None


def test_a_port_that_is_taken_is_an_error(port: Port, fleet: Catalog) -> None:
    number = int(port.served.address.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        start(fleet, "boats", state=":memory:", port=number)
    with start(fleet, "boats", state=":memory:", host="0.0.0.0") as served:
        assert served.address.startswith("http://127.0.0.1:")
