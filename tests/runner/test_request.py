"""A request as plain data: what is sent, what is shown, what a shell would run."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from runner import CallError, ServiceError, SpecError, request
from runner.encoding import File
from runner.request import MASK, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner import Client
    from runner.catalog import Catalog

KEY = "00000000-0000-4000-8000-000000000000"


def parts(made: Request) -> list[tuple[str, str, bytes]]:
    """Name, other words of the head, and content of each part of a form."""
    boundary = made.headers["Content-Type"].partition("boundary=")[2].encode()
    found = []
    for part in (made.body or b"").split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name, _, rest = head.decode().partition('name="')[2].partition('"')
        found.append((name, rest, content))
    return found


def test_a_request_is_shown_with_its_secrets_masked(portal: Client) -> None:
    made = portal.prepare("book.add", {"title": "a", "pin": "1234", "place": {}, "request_id": KEY})
    assert "secret-token" in made.headers["Authorization"]
    assert made.shown.headers["Authorization"] == f"Bearer {MASK}"
    assert json.loads(made.body or b"")["pin"] == "1234"
    assert json.loads(made.shown.body or b"")["pin"] == MASK
    assert repr(made) == "<Request POST https://library.example/api/book.add>"
    assert made.shown.shown is made.shown or made.shown.shown == made.shown


def test_basic_credentials_are_masked_as_a_whole(library: Callable[..., Client]) -> None:
    made = library(host="library.example", user="anna", password="s3cret").prepare("ping")
    assert base64.b64decode(made.headers["Authorization"].removeprefix("Basic ")) == b"anna:s3cret"
    assert made.shown.headers["Authorization"] == f"Basic {MASK}"


def test_what_a_first_call_gave_is_masked(library: Callable[..., Client]) -> None:
    client = library(host="library.example", card="paper")
    client._planner.session.kept["desk"] = {"session": "s3cret"}
    made = client.prepare("ping")
    assert made.headers["X-Session"] == "s3cret"
    assert made.shown.headers["X-Session"] == MASK


def test_a_request_as_json_shows_the_value_of_its_body(portal: Client) -> None:
    made = portal.prepare("book.old", {"id": 1})
    assert made.as_dict() == {
        "verb": "POST",
        "url": "https://library.example/api/book.old",
        "headers": {"Accept": "application/json", "Content-Type": "application/json", "Authorization": "Bearer ***"},
        "body": {"id": 1},
    }


@pytest.mark.parametrize(
    ("body", "shown"),
    [(None, None), (b"", ""), (b"a=1", "a=1"), (b"\xff\xfe", "2 bytes"), (b"a\0b", "3 bytes"), (b"[1]", [1])],
)
def test_a_body_is_shown_as_far_as_it_can_be_read(body: bytes | None, shown: object) -> None:
    assert Request("POST", "https://a.example/", {}, body).as_dict()["body"] == shown


def test_a_command_line_is_the_same_request_without_its_secrets(portal: Client) -> None:
    made = portal.prepare("book.old", {"id": 1})
    words = shlex.split(made.curl())
    assert words[:5] == ["curl", "--globoff", "--request", "POST", "https://library.example/api/book.old"]
    assert words[-2:] == ["--data-binary", '{"id":1}']
    assert f"Authorization: Bearer {MASK}" in words
    assert "Authorization: Bearer secret-token" in shlex.split(made.curl(show_secrets=True))


def test_a_command_line_without_a_body_has_no_data(portal: Client) -> None:
    assert "--data-binary" not in portal.prepare("ping").curl()


@pytest.mark.parametrize("body", [b"\xff\x00", b"@file", b"x" * 100_000])
def test_a_body_that_no_word_can_hold_is_piped_in(body: bytes, tmp_path: Path) -> None:
    line = Request("PUT", "https://a.example/it's", {}, body).curl()
    fake = tmp_path / "curl"
    fake.write_text("#!/bin/sh\nexec cat\n")
    fake.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh"], input=line.encode(), capture_output=True, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
    )
    assert done.stdout == body


def test_a_file_makes_a_form_in_parts(portal: Client) -> None:
    values = {
        "id": 1,
        "cover": File('a"b.png', b"\x89PNG"),
        "caption": "Öl",
        "frame": {"wide": [1]},
        "shown": True,
        "size": 3,
    }
    made = portal.prepare("book.cover.upload", values)
    assert parts(made) == [
        ("size", "", b"3"),
        ("shown", "", b"1"),
        ("cover", '; filename="a%22b.png"\r\nContent-Type: image/png', b"\x89PNG"),
        ("caption", "", "Öl".encode()),
        ("frame", "", b'{"wide":[1]}'),
    ]


def test_the_credential_of_a_body_is_a_part_of_a_form(library: Callable[..., Client]) -> None:
    client = library(host="library.example", stamp="st-1")
    made = client.prepare("book.cover.upload", {"id": 1, "caption": "a"})
    assert parts(made) == [("stamp", "", b"st-1"), ("caption", "", b"a")]


def test_a_part_beside_a_field_of_a_form_is_not_lost(portal: Client) -> None:
    made = portal.prepare("book.cover.upload", {"id": 1, "caption": "a", "shown": True, "size": 3})
    assert parts(made) == [("size", "", b"3"), ("shown", "", b"1"), ("caption", "", b"a")]


@pytest.mark.parametrize(("name", "kind"), [("a.png", "image/png"), ("a.unknown-kind", "application/octet-stream")])
def test_a_file_is_the_whole_body_with_its_own_kind(portal: Client, name: str, kind: str) -> None:
    made = portal.prepare("book.cover.set", {"id": 1, "cover": File(name, b"\x89PNG")})
    assert (made.headers["Content-Type"], made.body) == (kind, b"\x89PNG")


def test_a_file_is_the_whole_body_of_the_kind_that_its_param_says(portal: Client) -> None:
    made = portal.prepare("book.text.set", {"id": 1, "text": File("a.txt", b"# A")})
    assert (made.headers["Content-Type"], made.body) == ("text/markdown", b"# A")


def test_a_base_path_does_not_lead_to_another_host(catalog: Catalog) -> None:
    method = catalog.method("library", "store.file.get")
    evil = replace(method, sending=replace(method.sending, base="https://elsewhere.example/"))
    scheme = evil.service.schemes[0]
    with pytest.raises(SpecError, match=r"would send the credentials of library.example to elsewhere.example"):
        request.build(evil, "x", {"path": "a"}, scheme, {"scheme": "https", "host": "library.example", "token": "t"})


def test_a_header_that_can_not_hold_a_secret_does_not_show_it(library: Callable[..., Client]) -> None:
    client = library(host="library.example", token="s3cret\n")
    with pytest.raises(CallError, match="the header Authorization") as caught:
        client.prepare("ping")
    assert "s3cret" not in str(caught.value)


def test_json_can_not_hold_everything(portal: Client) -> None:
    client = portal
    client._planner.check_input = False
    with pytest.raises(CallError, match="can't be written as JSON"):
        client.prepare("book.old", {"id": object()})


def test_letters_without_a_partner_are_escaped(portal: Client) -> None:
    portal._planner.check_input = False
    assert portal.prepare("book.old", {"id": "\ud800"}).body == b'{"id":"\\ud800"}'


def test_letters_without_a_partner_are_replaced_where_they_can_not_be_escaped(portal: Client) -> None:
    made = portal.prepare("visit.add", {"book": 1, "theme": "\ud800"})
    assert made.headers["Cookie"].endswith("theme=%EF%BF%BD")
    assert portal.prepare("book.text.set", {"id": 1, "text": "\ud800"}).body == "\ufffd".encode()


def test_json_within_a_query_is_held_to_the_same(portal: Client) -> None:
    plain = portal.prepare("book.find", {"where": {"a": "\ud800"}})
    assert plain.body == b"where=%7B%22a%22%3A%22%5Cud800%22%7D"
    with pytest.raises(CallError, match="can't be written as JSON"):
        portal.prepare("book.find", {"where": {"a": float("nan")}})


def test_a_query_is_added_to_one_that_the_path_has(catalog: Catalog) -> None:
    method = catalog.method("library", "book.list")
    method = replace(method, sending=replace(method.sending, path="books?wide=1"))
    values: dict[str, Any] = {"scheme": "https", "host": "library.example", "token": "t"}
    made = request.build(method, "book.list", {"page": 2}, method.service.schemes[0], values)
    assert made.url == "https://library.example/api/books?wide=1&page=2"


def test_a_next_page_is_asked_for_in_the_same_way(portal: Client) -> None:
    made = portal.prepare("shelf.tree", {"room": "north"})
    after = request.following(made, "/api/shelves/north?page=2")
    assert after.url == "https://library.example/api/shelves/north?page=2"
    assert after.headers == made.headers
    assert after.shown.headers["Authorization"] == f"Bearer {MASK}"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("?page=2", "?page=2&key=s3cret"),
        ("/api/shelves/south", "/api/shelves/south?key=s3cret"),
        ("?page=2&key=newer", "?page=2&key=newer"),
    ],
)
def test_a_credential_in_the_query_goes_on_to_the_next_page(address: str, url: str) -> None:
    made = request.Request("GET", "https://a.example/api/shelves/north?page=1&key=s3cret", {}, None)
    wanted = urljoin("https://a.example/api/shelves/north", url)
    assert request.following(made, address, ["key", "other"]).url == wanted


@pytest.mark.parametrize("address", ["https://elsewhere.example/", "http://library.example/api/", "//b.example/a"])
def test_a_next_page_is_not_another_host_s(portal: Client, address: str) -> None:
    made = portal.prepare("shelf.tree", {"room": "north"})
    with pytest.raises(ServiceError, match="another host"):
        request.following(made, address)


def test_a_next_page_does_not_show_the_secret_of_its_path(library: Callable[..., Client]) -> None:
    client = library(url="https://library.example/r/7/s3cret/")
    made = client.prepare("shelf.tree", {"room": "north"})
    for address in ("?page=2", "/r/7/s3cret/shelves/south"):
        after = request.following(made, address)
        assert "s3cret" in after.url
        assert "s3cret" not in after.shown.url + repr(after) + after.curl()
