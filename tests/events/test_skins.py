"""Looks: whose they are, which is the default, and what becomes of events when one goes."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from database.types import now_utc
from events import skins
from events.errors import BadEventError, UnknownEventError
from events.fields import parse_wishes
from events.models import Event
from events.pictures import Kind, Picture
from events.service import copy_event, create_event, update_event
from events.skin_models import SkinPicture
from events.skins import HOUSE_SKIN, SkinWishes

NOW = now_utc()
BERRY = SkinWishes(name="Berry", accent="#b4235a", background="#1d2f6f")
LOGO = Picture(content_type="image/png", width=300, height=100, body=b"\x89PNG drawn by us")


def account(session: Session, name: str = "ann") -> int:
    return create_account(session, email=f"{name}@example.org", now=NOW).account.id


def event(session: Session, account_id: int, **fields: object) -> Event:
    return create_event(
        session, account_id=account_id, wishes=parse_wishes({"name": "Talk", **fields}), now=NOW
    )


def berry(session: Session, account_id: int, *, default: bool = False) -> int:
    return skins.create_skin(session, account_id=account_id, wishes=BERRY, default=default, now=NOW).id


def test_events_have_the_default_look_unless_they_name_another(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        ann = account(session)
        before = event(session, ann)
        first, second = berry(session, ann, default=True), berry(session, ann)
        assert (before.skin_id, event(session, ann).skin_id) == (HOUSE_SKIN, first)
        assert event(session, ann, skin_id=second).skin_id == second
        assert event(session, ann, skin_id=HOUSE_SKIN).skin_id == HOUSE_SKIN
        skins.make_default(session, account_id=ann, skin_id=second)
        assert [look.is_default for look in skins.looks_of(session, ann)] == [False, False, True]
        skins.make_default(session, account_id=ann, skin_id=HOUSE_SKIN)
        assert skins.default_of(session, ann) == HOUSE_SKIN


def test_another_account_s_look_is_not_there(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        ann, bob = account(session), account(session, "bob")
        hers = berry(session, ann, default=True)
        for wanted in (hers, 999_999):
            theirs = event(session, bob, skin_id=wanted)
            assert theirs.skin_id == HOUSE_SKIN
            update_event(session, theirs, wishes=parse_wishes({"skin_id": wanted}), now=NOW)
            assert theirs.skin_id == HOUSE_SKIN
        for skin_id in (hers, HOUSE_SKIN):
            with pytest.raises(UnknownEventError):
                skins.get_skin(session, account_id=bob, skin_id=skin_id)
        theirs.skin_id = hers  # as if by a row from elsewhere
        assert skins.look_of(session, theirs).skin_id == HOUSE_SKIN
        with pytest.raises(UnknownEventError):
            skins.make_default(session, account_id=bob, skin_id=hers)


def test_a_look_that_is_deleted_leaves_its_events_with_the_default(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        ann = account(session)
        gone, kept = berry(session, ann), berry(session, ann, default=True)
        talk, other = event(session, ann, skin_id=gone), event(session, ann, skin_id=kept)
        skin = skins.get_skin(session, account_id=ann, skin_id=gone)
        skins.set_picture(session, skin, kind=Kind.LOGO, picture=LOGO, now=NOW)
        assert skins.delete_skin(session, skin) == 1
        session.expire_all()
        assert (talk.skin_id, other.skin_id) == (kept, kept)
        talk.skin_id = gone  # a request that was on its way
        assert skins.look_of(session, talk).skin_id == kept
        assert copy_event(session, talk, wishes=parse_wishes({}), now=NOW).skin_id == kept
        assert session.scalars(select(SkinPicture)).all() == []
        last = skins.get_skin(session, account_id=ann, skin_id=kept)
        assert skins.delete_skin(session, last) == 2
        assert skins.look_of(session, other).skin_id == HOUSE_SKIN


def test_pictures_have_addresses_that_change_with_them(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        ann = account(session)
        skin = skins.get_skin(session, account_id=ann, skin_id=berry(session, ann))
        skins.set_picture(session, skin, kind=Kind.LOGO, picture=LOGO, now=NOW)
        first = skins.one_look(session, skin)
        assert first.logo is not None
        _, _, key, name = first.logo.path.split("/")
        digest = name.removeprefix("logo-").removesuffix(".png")
        assert skins.picture(session, key=key, kind="logo", digest=digest) == ("image/png", LOGO.body)
        assert skins.picture(session, key=key, kind="banner", digest=digest) is None
        assert skins.picture(session, key="tollbridge", kind="logo", digest=digest) is None
        mail = skins.for_mail(first, public_url="https://events.example")
        assert mail["logo"] == f"https://events.example{first.logo.path}"
        skins.set_picture(session, skin, kind=Kind.LOGO, picture=None, now=NOW)
        assert skins.one_look(session, skin).logo is None
        assert skins.picture(session, key=key, kind="logo", digest=digest) is None
        skins.change_skin(
            session, skin, wishes=SkinWishes(name="B", accent="#000000", background="#ffffff"), now=NOW
        )
        assert skins.one_look(session, skin).style_path != first.style_path


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(BadEventError) as refused:
        skins.parse_skin({"name": " ", "accent": "#ffd400", "background": "red;}body{"})
    told = {problem.field: problem.message for problem in refused.value.problems}
    assert set(told) == {"name", "accent", "background"}
    assert "contrast is 1.4" in told["accent"]
    assert "#8c7500" in told["accent"]


def test_there_is_an_end_of_looks(sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skins, "SKINS_MAX", 2)
    with sessions.begin() as session:
        ann, bob = account(session), account(session, "bob")
        berry(session, ann)
        berry(session, ann)
        with pytest.raises(BadEventError, match="all there may be"):
            berry(session, ann)
        berry(session, bob)


def test_an_agenda_that_changes_is_told_to_calendars(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        talk = event(session, account(session), starts_at="2036-05-01T10:00", agenda="10:00 Welcome")
        assert talk.agenda == [{"time": "10:00", "title": "Welcome"}]
        update_event(session, talk, wishes=parse_wishes({"lobby_description": "Soon"}), now=NOW)
        assert talk.sequence == 0
        update_event(session, talk, wishes=parse_wishes({"agenda": "10:15 Welcome"}), now=NOW)
        assert talk.sequence == 1
        update_event(session, talk, wishes=parse_wishes({"agenda": ""}), now=NOW)
        assert talk.agenda == []
