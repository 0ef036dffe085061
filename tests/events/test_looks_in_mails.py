"""Mails to guests wear the organiser's look and tell the agenda."""

from __future__ import annotations

from sqlalchemy.orm import Session, sessionmaker

from events import skins
from events.guest_mails import ABOUT_CHARS_MAX, Reader
from events.models import Event
from events.pictures import Kind, Picture
from mail.message import Mail
from tests.events.planning import NOW, URL, new_account, new_event, parts, with_event

LOGO = Picture(content_type="image/png", width=440, height=88, body=b"\x89PNG")
WORDS = {
    "starts_at": "2026-05-01T10:00",
    "agenda": "10:00 <b>Welcome</b>",
    "lobby_enabled": "1",
    "lobby_description": "Bring <i>tea</i>.",
}


def written(session: Session, event: Event) -> Mail:
    mails = parts().mails(session, event, template="invitation", method="REQUEST")
    return mails.write(Reader(email="guy@example.org", name="Guy", language="fr"), None)


def test_with_a_name_and_with_a_logo(sessions: sessionmaker[Session]) -> None:
    event_id = new_event(sessions, new_account(sessions), **WORDS)

    def look(session: Session, event: Event) -> None:
        wishes = skins.parse_skin({"name": "Tea & Co", "accent": "#b4235a", "background": "#1d2f6f"})
        skin = skins.create_skin(session, account_id=event.account_id, wishes=wishes, default=False, now=NOW)
        event.skin_id = skin.id
        plain = written(session, event).html or ""
        assert "background:#1d2f6f;color:#ffffff;border-bottom:4px solid #b4235a" in plain
        assert "Tea &amp; Co</td>" in plain
        assert "background:#b4235a;color:#ffffff" in plain
        skins.set_picture(session, skin, kind=Kind.LOGO, picture=LOGO, now=NOW)
        path = skins.one_look(session, skin).logo
        assert path is not None
        html = written(session, event).html or ""
        assert f'<img src="{URL}{path.path}" width="220" alt="Tea &amp; Co"' in html

    with_event(sessions, event_id, look)


def test_agenda_and_message_are_text_and_in_the_calendar(sessions: sessionmaker[Session]) -> None:
    event_id = new_event(sessions, new_account(sessions), **WORDS)

    def look(session: Session, event: Event) -> None:
        mail = written(session, event)
        assert "10:00 &lt;b&gt;Welcome&lt;/b&gt;" in (mail.html or "")
        assert "Bring &lt;i&gt;tea&lt;/i&gt;." in (mail.html or "")
        assert "Programme\u00a0:\n10:00 <b>Welcome</b>\n" in mail.text
        calendar = mail.attachments[0].body.decode().replace("\r\n ", "")
        assert "10:00 <b>Welcome</b>" in calendar
        event.lobby_description = "x" * 20_000
        assert written(session, event).text.count("x") < ABOUT_CHARS_MAX + 50
        event.lobby_enabled = False
        assert "xxx" not in written(session, event).text

    with_event(sessions, event_id, look)
