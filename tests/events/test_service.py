"""An organiser plans, changes, ends and deletes events; nobody else can."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from events import service
from events.errors import BadEventError, UnknownEventError
from events.fields import Status, parse_wishes
from events.models import Event, EventPin, EventSession
from events.passwords import password_matches
from events.schedule import local
from rooms.modes import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def account_id(sessions: sessionmaker[Session]) -> int:
    with sessions.begin() as session:
        return create_account(session, email="a@example.org", now=NOW).account.id


def create(session: Session, account_id: int, **fields: Any) -> Event:
    wishes = parse_wishes({"name": "Results", **fields})
    return service.create_event(session, account_id=account_id, wishes=wishes, now=NOW)


def test_a_new_event_has_a_pin_for_each_role(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        create(session, account_id)
    with sessions() as session:
        event = service.list_events(session, account_id=account_id)[0]
        assert [pin.role for pin in event.pins] == [Role.PRESENTER, Role.PARTICIPANT]
        assert len({pin.pin for pin in event.pins}) == 2
        assert len(event.room_pin) == 9
        assert event.status == Status.ACTIVE
        assert event.settings["phonegateway_enabled"] is True
        assert event.created_at == NOW


def test_every_event_has_its_own_address(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        names = [
            create(session, account_id, name=name).url_name
            for name in ("Réunion d'été", "Réunion d'été", "v1", "日本", "a")
        ]
        assert names[0] == "reunion-d-ete"
        assert len(set(names)) == 5
        assert "v1" not in names
        assert all(len(name) >= 3 for name in names)
        assert create(session, account_id, custom_room_url_name="Town-Hall").url_name == "town-hall"
        with pytest.raises(BadEventError, match="taken"):
            create(session, account_id, custom_room_url_name="town-hall")


def test_a_password_is_needed_and_never_stored_as_it_is(
    sessions: sessionmaker[Session], account_id: int
) -> None:
    with sessions.begin() as session:
        with pytest.raises(BadEventError, match="password"):
            create(session, account_id, access_type=2)
        event = create(session, account_id, access_type=2, password="open sesame")
        assert event.password_hash is not None
        assert "sesame" not in event.password_hash
        assert password_matches("open sesame", event.password_hash)
        assert not password_matches("open sesam", event.password_hash)
        service.update_event(session, event, wishes=parse_wishes({"name": "B"}), now=NOW)
        assert password_matches("open sesame", event.password_hash)
        service.update_event(session, event, wishes=parse_wishes({"access_type": "1"}), now=NOW)
        assert event.password_hash is None


def test_tokens_and_phones_go_together(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        assert create(session, account_id, access_type=3).settings["phonegateway_enabled"] is True
        explicit = create(session, account_id, access_type=3, settings={"phonegateway_enabled": "0"})
        assert explicit.settings["phonegateway_enabled"] is False


def test_a_change_leaves_the_rest_alone(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        event = create(
            session,
            account_id,
            starts_at="2026-07-01T10:00",
            timezone="Europe/Paris",
            duration="0:30",
            settings={"phonegateway_enabled": "0"},
        )
        pins = [pin.pin for pin in event.pins]
        revision = event.revision
        later = NOW + timedelta(hours=1)
        service.update_event(
            session,
            event,
            now=later,
            wishes=parse_wishes({"room_type": "meeting", "settings": {"encryption_enabled": "1"}}),
        )
    with sessions() as session:
        event = service.get_event(session, account_id=account_id, event_id=event.id)
        assert event.name == "Results"
        assert event.room_type == "meeting"
        assert event.capacity == 25
        assert event.settings["phonegateway_enabled"] is False
        assert event.settings["encryption_enabled"] is True
        assert [pin.pin for pin in event.pins] == pins
        assert event.starts_at is not None
        assert local(event.starts_at, zone=event.timezone).isoformat() == "2026-07-01T10:00:00+02:00"
        assert event.updated_at == later
        assert event.revision > revision


def test_other_accounts_see_nothing(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        event = create(session, account_id)
        other = create_account(session, email="b@example.org", now=NOW).account.id
        assert list(service.list_events(session, account_id=other)) == []
        with pytest.raises(UnknownEventError):
            service.get_event(session, account_id=other, event_id=event.id)


def test_ending_closes_an_ad_hoc_event_and_leaves_a_permanent_room_open(
    sessions: sessionmaker[Session], account_id: int
) -> None:
    with sessions.begin() as session:
        once, always = create(session, account_id), create(session, account_id, permanent_room="1")
        assert service.finish_event(session, once.id, now=NOW)
        assert not service.finish_event(session, always.id, now=NOW)
        assert not service.finish_event(session, 4711, now=NOW)
    with sessions() as session:
        listed = service.list_events(session, account_id=account_id, status=Status.INACTIVE)
        assert [event.id for event in listed] == [once.id]
        assert not any(pin.joinable for pin in listed[0].pins)
        assert service.get_event(session, account_id=account_id, event_id=always.id).status == Status.ACTIVE


def test_a_deleted_event_is_gone_but_its_sessions_stay(
    sessions: sessionmaker[Session], account_id: int
) -> None:
    with sessions.begin() as session:
        event = create(session, account_id, custom_room_url_name="town-hall")
        session.add(
            EventSession(
                id=7,
                event_id=event.id,
                node_id="n",
                started_at=NOW,
                last_seen_at=NOW,
                total_visitors=1,
                max_visitors=1,
            )
        )
        service.delete_event(session, event, now=NOW)
        assert create(session, account_id, custom_room_url_name="town-hall").url_name == "town-hall"
        with pytest.raises(UnknownEventError):
            service.get_event(session, account_id=account_id, event_id=event.id)
        assert session.get(EventSession, 7) is not None


def test_lists_come_in_pages_newest_first(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        ids = [create(session, account_id, name=f"Event {n}").id for n in range(5)]
        pages = [
            [
                event.id
                for event in service.list_events(session, account_id=account_id, page=page, page_size=2)
            ]
            for page in (1, 2, 3, 4)
        ]
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]], []]


def test_the_database_refuses_one_pin_for_two_joinable_events(
    sessions: sessionmaker[Session], account_id: int
) -> None:
    with sessions.begin() as session:
        first, second = create(session, account_id), create(session, account_id)
        taken = first.pins[0].pin
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.add(EventPin(event_id=second.id, pin=taken, role=Role.PRESENTER, joinable=True))
    with sessions.begin() as session:
        service.finish_event(session, first.id, now=NOW)
        session.add(EventPin(event_id=second.id, pin=taken, role=Role.PRESENTER, joinable=True))


def test_two_organisers_create_the_same_name_at_once(
    sessions: sessionmaker[Session], account_id: int
) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        try:
            barrier.wait()
            with sessions.begin() as session:
                create(session, account_id, name="Same name")
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with sessions() as session:
        assert len(set(session.scalars(select(Event.url_name)))) == 4
        assert len(set(session.scalars(select(Event.revision)))) == 4


def test_toll_free_is_off_until_somebody_wants_it(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        event = create(session, account_id)
        assert event.settings["toll_free_enabled"] is False
        wanted = {"settings": {"toll_free_enabled": "1", "phonegateway_enabled": "1"}}
        service.update_event(session, event, wishes=parse_wishes(wanted), now=NOW)
        assert (event.settings["toll_free_enabled"], event.settings["phonegateway_enabled"]) == (True, True)


def test_presenters_switch_settings_of_their_room(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        event = create(session, account_id)
        before = event.revision
        settings = service.switch_settings(
            session, event.id, switches={"toll_free_enabled": True, "phonegateway_enabled": False}, now=NOW
        )
        assert (settings["toll_free_enabled"], settings["phonegateway_enabled"]) == (True, False)
        assert event.revision > before
        with pytest.raises(UnknownEventError):
            service.switch_settings(session, 4711, switches={"toll_free_enabled": True}, now=NOW)


def test_a_room_is_found_by_what_people_type(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        event = create(session, account_id, custom_room_url_name="town-hall")
        pin = event.room_pin
        for text in (
            "town-hall", " Town-Hall ", "https://x.example/town-hall", "x.example/town-hall/?l=abc",
            pin, f"{pin[:3]} {pin[3:6]} {pin[6:]}", f"{pin[:3]}-{pin[3:]}", str(event.id),
        ):  # fmt: skip
            assert service.find_event(session, text) is event, text
        for text in ("", " ", "town", "999999999", "0", "9" * 400, "日本", "/", "town-hall2"):
            assert service.find_event(session, text) is None, text
        service.delete_event(session, event, now=NOW)
        for text in ("town-hall", pin, str(event.id)):
            assert service.find_event(session, text) is None, text
