"""Whatever people type into names and subjects, a mail has one recipient and the headers we gave it."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.errors import BadMailError
from mail.message import Attachment, Mail, build, parse_sender
from mail.texts import HERE, MailTexts, one_line

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SENDER = parse_sender("Tollbridge <us@example.com>")
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
           "Content-Transfer-Encoding"}  # fmt: skip
TEMPLATES = sorted(path.stem for path in (HERE / "templates").glob("[!_]*.txt"))
WITHOUT_LINK = {"invitation_cancelled", "registration_declined", "registration_pending", "thanks"}
OF_EVENTS: dict[str, object] = {
    "event": "Results",
    "event_name": "Results",
    "organiser": "Ann",
    "when": None,
    "duration": "1 h",
    "note": "",
    "changed": False,
    "pin": None,
    "numbers": [],
    "leave": "https://example.org/leave",
    "token": "",
    "more_url": "",
    "rate_url": "https://example.org/rate",
    "about": "Welcome",
    "agenda": "10:00 Welcome",
    "look": {
        "own": True,
        "name": "Meridian",
        "accent": "#b4235a",
        "background": "#1d2f6f",
        "words": "#ffffff",
        "logo": "https://events.example/look/k/logo-1.png",
        "logo_width": 120,
    },
}
VALUES = {"name": "Ann", "email": "ann@example.org", "link": "https://events.example/reset/abc"}


def test_senders_from_settings() -> None:
    assert str(SENDER) == "Tollbridge <us@example.com>"
    assert str(parse_sender("us@example.com")) == "us@example.com"
    for bad in ("", "us", "a@b, c@d", "x <a@b\r\nBcc: c@d>", "A\nB <a@b>"):
        with pytest.raises(BadMailError):
            parse_sender(bad)


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "ann@example.org\r\nBcc: eve@example.org"},
        {"to": "ann@example.org, eve@example.org"},
        {"to": "Ann <ann@example.org>"},
        {"to": "ann"},
        {"subject": "Hi\r\nBcc: eve@example.org"},
        {"subject": ""},
        {"to_name": "Ann\nBcc: eve@example.org"},
    ],
)
def test_what_would_add_a_header_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(BadMailError):
        Mail(**{"to": "ann@example.org", "subject": "Hi", "text": "x", **changed})


@given(name=st.text(max_size=60), subject=st.text(max_size=60), text=st.text(max_size=200))
def test_nothing_typed_adds_a_header_or_a_recipient(name: str, subject: str, text: str) -> None:
    try:
        mail = Mail(to="ann@example.org", to_name=name, subject=subject, text=text)
    except BadMailError:
        return
    raw = build(mail, sender=SENDER, message_id="<1@t>", at=NOW).as_bytes()
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert set(read.keys()) == HEADERS
    assert [one.addr_spec for one in read["To"].addresses] == ["ann@example.org"]
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\nb", "", "x" * 300])
def test_names_of_attachments(name: str) -> None:
    with pytest.raises(BadMailError):
        Attachment(name=name, content_type="text/plain", body=b"")


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_mail_can_be_written_in_every_language(template: str, language: str) -> None:
    mail = MailTexts().write(template, language, {**OF_EVENTS, **VALUES}, to="ann@example.org", to_name="Ann")
    for part in (mail.text, mail.html):
        assert (VALUES["link"] in part) or template in WITHOUT_LINK
    assert f'lang="{language}"' in mail.html
    assert "{" not in mail.text + mail.html.partition("<body")[2].replace("{}", "")


def test_languages_differ() -> None:
    english, french = (MailTexts().write("reset", language, VALUES, to="a@b.c") for language in ("en", "fr"))
    assert english.subject != french.subject
    assert "Hello Ann," in english.text
    assert "Bonjour Ann," in french.text


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        MailTexts().write("reset", "en", {}, to="a@b.c")


def test_a_hostile_name_stays_a_name() -> None:
    values = {**VALUES, "name": "<script>alert(1)</script>\r\nBcc: eve@example.org"}
    mail = MailTexts().write("reset", "en", values, to="ann@example.org")
    assert "<script" not in mail.html
    assert "\r\nBcc" not in mail.text
    assert not re.search(r"^Bcc", mail.text, re.MULTILINE)


def test_another_package_has_templates_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "bill.txt").write_text("Your bill\n\n{{ total }}\n")
    (tmp_path / "bill.html").write_text(
        '{% extends "layout.html" %}{% block body %}<p>{{ total }}{% endblock %}'
    )
    mail = MailTexts(tmp_path).write("bill", "fr", {"total": "1 < 2"}, to="a@b.c")
    assert (mail.subject, mail.text) == ("Your bill", "1 < 2\n")
    assert "<p>1 &lt; 2" in mail.html
    assert "Tollbridge" in mail.html


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert one_line(text).isprintable()
