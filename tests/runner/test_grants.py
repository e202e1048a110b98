"""What a service file says of authorisations that end, held against what there is."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import document, grants, lint
from runner.catalog import Catalog
from runner.spec import Service

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
INVENTED = Path(__file__).parents[1] / "service" / "library" / "_service.yaml"


@pytest.fixture
def told(catalog: Catalog) -> Callable[[Json], list[str]]:
    """What is wrong with the invented service once something in it was changed."""
    data: Json = document.load(INVENTED.read_text(encoding="utf-8"), "library")

    def found(change: Json) -> list[str]:
        whole = deepcopy(data)
        for path, value in change.items():
            *above, last = path.split("/")
            place: Any = whole
            for step in above:
                place = place[step]
            place[last] = value
        whoami = whole["profile"].get("whoami", {})
        faults = grants.faults(Service.read(whole), whoami, lambda name: catalog.own("library", name))
        return [f"{'/'.join(map(str, path))}: {message}; {hint}" for path, message, hint in faults]

    return found


def test_the_invented_service_is_right(told: Callable[[Json], list[str]]) -> None:
    assert told({}) == []
    assert told({"profile/whoami": {}}) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("auth/badge/renew/needs", ["clubb"], "renew/needs: clubb is no field of the profile; did you mean club?"),
        ("auth/badge/renew/params/spare", "{sparrow}", "renew/params: sparrow is no field of the profile; "),
        ("auth/badge/renew/params/wanted", "x", "renew: card.token has no param wanted; did you mean want?"),
        ("auth/badge/renew/params", {"want": "spare"}, "renew: card.token is not given club, key, which it requires; "),
        ("auth/badge/renew/method", "card.toke", "renew: the method card.toke does not stand beside the file of"),
        (
            "auth/badge/renew/keep",
            {"spare": "x"},
            "renew/keep: nothing is kept of what badge needs; it needs host, badge",
        ),
        ("auth/badge/renew/keep/bag", "x", "renew/keep: bag is no field of the profile; did you mean badge?"),
        ("auth/badge/renew/keep/badge", "a[", "renew/keep/badge: 'a[' is no JMESPath: "),
        ("auth/badge/renew/keep/host", "host", "renew/keep/host: host is a host, which no answer may change; "),
        ("auth/badge/login/page", "https://{host}/", "login: no {state} goes to the page and comes back: "),
        (
            "auth/badge/login/page",
            "https://{hast}/{state}",
            "login/page: hast is no field of the profile; did you mean",
        ),
        ("auth/badge/login/back", {"word": "word"}, "login: no {state} goes to the page and comes back: "),
        ("auth/badge/login/params/word", "{worm}", "login/params: worm is no field of the profile; did you mean word?"),
        ("profile/whoami/method", "book.get", "profile/whoami/method: book.get is not given id, which it requires; "),
        ("profile/whoami/scopes", "no.such", "profile/whoami/scopes: the method no.such does not stand beside"),
        ("profile/whoami/show", "a[", "profile/whoami/show: 'a[' is no JMESPath: "),
    ],
)
def test_what_means_nothing_is_told(path: str, value: Any, said: str, told: Callable[[Json], list[str]]) -> None:
    (found,) = told({path: value})
    assert found.removeprefix("auth/badge/").startswith(said)


def test_a_name_that_is_near_to_none_is_told_what_there_is(told: Callable[[Json], list[str]]) -> None:
    (found,) = told({"auth/badge/renew/needs": ["zzzzzz"]})
    assert "it has scheme, host, mirror, " in found


def test_the_check_of_files_tells_where(tmp_path: Path) -> None:
    folder = tmp_path / "methods" / "notes"
    folder.mkdir(parents=True)
    (folder / "_service.yaml").write_text(
        "spec: 1\nservice: notes\ntitle: Notes\nprofile: {properties: {token: {type: string, writeOnly: true}}}\n"
        "auth:\n  token:\n    needs: [token]\n    base: https://notes.example/\n"
        "    renew: {on: [OLD], method: token.new, keep: {token: token}}\n",
        encoding="utf-8",
    )
    catalog = Catalog(str(tmp_path / "methods"))
    (found,) = lint.faults(folder / "_service.yaml", catalog)
    assert (found.where, found.hint) == (f"{folder}/_service.yaml:9:12", f"{folder}/_service.yaml")
    assert found.message == "the method token.new does not stand beside the file of notes"
