"""The address book: each address once, nothing lost by repeating, unsubscribed stays unsubscribed."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from contacts import csv_file, service
from contacts.errors import BadContactError, UnknownContactError
from contacts.fields import ContactFields, parse_contact
from database.types import now_utc

NOW = now_utc()
Sessions = sessionmaker[Session]


@pytest.fixture
def account_id(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return create_account(session, email="one@example.org", now=NOW).account.id


@pytest.fixture
def other_id(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return create_account(session, email="two@example.org", now=NOW).account.id


def ann(**more: str) -> ContactFields:
    return parse_contact({"email": "Ann@Example.org", **more})


def test_a_contact_comes_again_and_fills_in(sessions: Sessions, account_id: int, other_id: int) -> None:
    with sessions.begin() as session:
        first, fresh = service.save(session, account_id=account_id, fields=ann(firstname="Ann"), now=NOW)
        assert fresh
        again, fresh = service.save(session, account_id=account_id, fields=ann(last_name="Martin"), now=NOW)
        assert (again.id, fresh, again.first_name, again.last_name) == (first.id, False, "Ann", "Martin")
        elsewhere, fresh = service.save(session, account_id=other_id, fields=ann(), now=NOW)
        assert fresh
        assert elsewhere.id != first.id
        with pytest.raises(UnknownContactError):
            service.get(session, account_id=other_id, contact_id=first.id)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"email": "x"}, "email"),
        ({"first_name": "x" * 101}, "first_name"),
        ({"phone": 5}, "phone"),
        ({"country": "France"}, "country"),
        ({"company": {"a": "b"}}, "company"),
    ],
)
def test_fields_that_cannot_be(more: dict[str, object], field: str) -> None:
    with pytest.raises(BadContactError) as refused:
        parse_contact({"email": "a@example.org", **more})
    assert [name for name, _ in refused.value.problems] == [field]


def test_groups_and_who_to_write_to(sessions: Sessions, account_id: int, other_id: int) -> None:
    with sessions.begin() as session:
        a, b, c = (
            service.save(
                session, account_id=account_id, fields=parse_contact({"email": f"{n}@example.org"}), now=NOW
            )[0]
            for n in "abc"
        )
        friends = service.make_group(session, account_id=account_id, name=" Friends ", now=NOW)
        assert service.make_group(session, account_id=account_id, name="Friends", now=NOW).id == friends.id
        team = service.make_group(session, account_id=account_id, name="Team", now=NOW)
        assert service.add_to_group(session, friends, [a, b]) == 2
        assert service.add_to_group(session, friends, [a]) == 0
        service.add_to_group(session, team, [b, c])
        service.set_unsubscribed(session, c, on=True, now=NOW)
        found = service.addresses(session, account_id, [friends.id, team.id])
        assert [one.email for one in found] == ["a@example.org", "b@example.org"]
        assert len(service.addresses(session, account_id, None)) == 2
        assert service.addresses(session, other_id, [friends.id]) == []
        assert service.is_unsubscribed(session, account_id=account_id, email="C@example.org")
        assert not service.is_unsubscribed(session, account_id=other_id, email="c@example.org")
        service.save(
            session,
            account_id=account_id,
            fields=parse_contact({"email": "c@example.org", "company": "X"}),
            now=NOW,
        )
        assert service.is_unsubscribed(session, account_id=account_id, email="c@example.org"), "stays"
        assert [(g.name, n) for g, n in service.groups(session, account_id=account_id)] == [
            ("Friends", 2),
            ("Team", 2),
        ]
        service.set_groups(session, a, [team.id, 999])
        service.delete_group(session, friends)
        assert service.find(session, account_id=account_id, group_id=team.id)[1] == 3
        with pytest.raises(BadContactError):
            service.rename_group(
                session, service.make_group(session, account_id=account_id, name="New", now=NOW), name="Team"
            )
        with pytest.raises(UnknownContactError):
            service.get_group(session, account_id=other_id, group_id=team.id)
        service.delete(session, a)
        assert service.find(session, account_id=account_id, words="a@")[1] == 0


def test_a_file_into_a_group_and_out_again(sessions: Sessions, account_id: int) -> None:
    body = "E-mail;Prénom;Nom\nzoe@example.org;Zoé;L\nbad;;\nann@example.org;;Martin\n".encode("latin-1")
    with sessions.begin() as session:
        service.save(session, account_id=account_id, fields=ann(first_name="Ann"), now=NOW)
        group = service.make_group(session, account_id=account_id, name="Friends", now=NOW)
        done = service.import_file(
            session, account_id=account_id, file=csv_file.read(body), group=group, now=NOW
        )
        assert (done.created, done.updated, done.file.bad_total) == (1, 1, 1)
        again = service.import_file(
            session, account_id=account_id, file=csv_file.read(body), group=group, now=NOW
        )
        assert (again.created, again.updated) == (0, 0)
        text = "".join(service.export(session, account_id=account_id, group_id=group.id))
    assert text.splitlines()[0].lstrip("\ufeff").startswith("email,first_name,last_name")
    assert "zoe@example.org,Zoé,L" in text
    assert "ann@example.org,Ann,Martin" in text


def test_two_imports_of_the_same_people_at_once(sessions: Sessions, account_id: int) -> None:
    contacts = [parse_contact({"email": f"p{n}@example.org"}) for n in range(600)]
    start, errors = threading.Barrier(3), []

    def work() -> None:
        start.wait()
        try:
            with sessions.begin() as session:
                service.save_all(session, account_id=account_id, contacts=contacts, now=NOW)
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with sessions.begin() as session:
        assert service.find(session, account_id=account_id)[1] == 600


def test_a_page_is_searched_by_words(sessions: Sessions, account_id: int) -> None:
    with sessions.begin() as session:
        service.save(session, account_id=account_id, fields=ann(first_name="Ann", last_name="100%"), now=NOW)
        for words, number in (
            ("ann", 1),
            ("ANN 100%", 1),
            ("%", 1),
            ("_", 0),
            ("ann bob", 0),
            ("example", 1),
        ):
            assert service.find(session, account_id=account_id, words=words)[1] == number, words
