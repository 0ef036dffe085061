"""Every text in both languages, every template with everything it needs, every file under its name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from database.types import now_utc
from events.errors import BadEventError
from events.fields import parse_wishes
from tests.web.site.conftest import Person
from web.site import i18n
from web.site.assets import assets, read_assets
from web.site.formats import filters, grouped
from web.site.i18n import negotiate
from web.site.problems import SENTENCES, sentence
from web.site.render import TEMPLATES, environment

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "scripts"))


def own_templates() -> list[str]:
    return sorted(path.name for path in TEMPLATES.glob("*.html"))


def test_the_catalogues_are_complete_and_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "messages.py"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout) == (0, "")


def test_placeholders_survive_translation() -> None:
    for message in i18n.catalogue("fr"):
        if not message.id:
            continue
        sources = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string)
        wanted = set(re.findall(r"%\(\w+\)s|\{\w+\}", sources[-1]))
        for string in strings:
            assert set(re.findall(r"%\(\w+\)s|\{\w+\}", string)) == wanted, message.id


def test_french_is_set_as_french_is() -> None:
    for message in i18n.catalogue("fr"):
        for string in [message.string] if isinstance(message.string, str) else message.string:
            if not message.id:
                continue
            assert "'" not in string, string
            assert not re.search(r" [;?!:»]|« ", string), string


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
@pytest.mark.parametrize("name", own_templates())
def test_every_template_can_be_read(name: str, language: str) -> None:
    environment(language).get_template(name)


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_pages_in_both_languages(language: str, ann: Person, browser: TestClient) -> None:
    mine = f"/events/{ann.event_id}"
    pages = ["/events", "/events?tab=past", "/events?q=nothing+at+all", "/events/new", "/account"]
    pages += [mine, f"{mine}/edit", f"{mine}/delete"]
    for client, paths in (
        (ann.client, pages),
        (browser, ["/", "/docs", "/sign-in", "/forgot", "/reset/x", "/x/y"]),
    ):
        for path in paths:
            joined = "&" if "?" in path else "?"
            text = client.get(f"{path}{joined}lang={language}").text
            assert f'<html lang="{language}">' in text, path
            assert "<main" in text


def test_scripts_get_their_words_in_the_page(browser: TestClient) -> None:
    assert i18n.script_messages("fr")["Copied"] == "Copié"
    assert '"Copied": "Copié"' in browser.get("/?lang=fr").text
    assert '<script type="application/json" id="messages">{}</script>' in browser.get("/?lang=en").text


def test_a_chosen_language_stays(browser: TestClient) -> None:
    assert "Numéros d’appel" in browser.get("/?lang=fr").text
    assert "Numéros d’appel" in browser.get("/", headers={"Accept-Language": "en"}).text
    assert "Dial-in numbers" in browser.get("/?lang=en").text


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CH, en;q=0.8", "fr"),
        ("de, fr;q=0.2, en;q=0.9", "en"),
        ("fr;q=0, en", "en"),
        ("fr;q=x,,;;=,*", "en"),
        ("\x00\xff" * 500, "en"),
        ("fr;q=nan", "en"),
    ],
)
def test_accept_language(header: str, language: str) -> None:
    assert negotiate(header) == language


def test_every_sentence_about_a_field_is_known_in_french() -> None:
    bad = {
        "name": "",
        "room_type": "x",
        "permanent_room": "x",
        "access_type": "9",
        "password": "abc",
        "custom_room_url_name": "-",
        "lobby_description": "x" * 30_000,
        "starts_at": "x",
        "duration": "x",
        "timezone": "x",
        "registration": "x",
        "settings": {"thank_you_page_url": "x"},
    }
    for more in ({}, {"name": 1}, {"name": "a\x00"}, {"custom_room_url_name": "events-admin" and "admin"},
                 {"starts_at": "1999-01-01T10:00"}):  # fmt: skip
        with pytest.raises(BadEventError) as refused:
            parse_wishes({**bad, **more})
        for problem in refused.value.problems:
            english, french = sentence("en", problem.message), sentence("fr", problem.message)
            assert english != french, problem.message
            assert "%(" not in french
    assert len(SENTENCES) == len(set(SENTENCES))
    assert sentence("fr", "must be 1 to 255 printable characters").startswith("Doit compter de 1 à 255")
    assert sentence("fr", "something new") == "Something new."


def test_formats() -> None:
    english, french = filters("en"), filters("fr")
    assert grouped("412629076") == "412 629 076"
    assert english["duration"](90) == "1\u00a0h 30\u00a0min"
    assert english["seconds"](3725.9) == "1:02:05"
    assert (english["number"](4.25, 1), french["number"](4.25, 1)) == ("4.2", "4,2")
    assert english["month"](now_utc().replace(month=5)) == "May"
    assert french["month"](now_utc().replace(month=5)) == "mai"


def test_files_are_kept_for_ever_under_the_name_of_their_version(browser: TestClient, tmp_path: Path) -> None:
    page = browser.get("/").text
    found = re.search(r'href="(/assets/~\w+/style.css)"', page)
    assert found is not None
    kept = browser.get(found[1])
    assert "immutable" in kept.headers["cache-control"]
    assert kept.headers["content-type"].startswith("text/css")
    plain = browser.get("/assets/style.css")
    assert plain.headers["cache-control"] == "no-cache"
    again = browser.get("/assets/style.css", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    old = browser.get("/assets/~000000000000/style.css")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    (tmp_path / "a.css").write_text("a{}")
    before = read_assets(tmp_path)
    (tmp_path / "a.css").write_text("b{}")
    assert read_assets(tmp_path).url("a.css") != before.url("a.css")


@pytest.mark.parametrize(
    "path", ["nothing.css", "../site.js", "..%2fi18n.py", "%2e%2e/render.py", "~x", "~x/", "", "style.css/"]
)
def test_no_file_that_is_not_an_asset(browser: TestClient, path: str) -> None:
    assert browser.get(f"/assets/{path}").status_code == 404


def test_every_icon_in_a_template_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', assets().files["icons.svg"].body.decode()))
    for path in TEMPLATES.glob("*.html"):
        assert set(re.findall(r'icon\("([\w-]+)"', path.read_text())) <= drawn, path.name
