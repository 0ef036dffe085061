"""Queries on contacts and groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, delete, func, insert, select
from sqlalchemy.orm import Session

from contacts.models import Contact, ContactGroup, ContactMembership

T = TypeVar("T")
CHUNK = 500


def contact(session: Session, *, account_id: int, contact_id: int) -> Contact | None:
    query = select(Contact).where(Contact.id == contact_id, Contact.account_id == account_id)
    return session.scalars(query).one_or_none()


def by_emails(session: Session, *, account_id: int, emails: Sequence[str]) -> dict[str, Contact]:
    """The account's contacts with these addresses."""
    found: dict[str, Contact] = {}
    for part in chunks(emails):
        query = select(Contact).where(Contact.account_id == account_id, Contact.email.in_(part))
        found |= {one.email: one for one in session.scalars(query)}
    return found


def _wanted(account_id: int, words: str, group_id: int | None) -> Select[Contact]:
    query = select(Contact).where(Contact.account_id == account_id)
    if group_id is not None:
        members = select(ContactMembership.contact_id).where(ContactMembership.group_id == group_id)
        query = query.where(Contact.id.in_(members))
    for word in words.split()[:8]:
        columns = (Contact.email, Contact.first_name, Contact.last_name, Contact.company)
        matches: list[ColumnElement[bool]] = [column.icontains(word, autoescape=True) for column in columns]
        query = query.where(matches[0] | matches[1] | matches[2] | matches[3])
    return query


def page(
    session: Session, *, account_id: int, words: str, group_id: int | None, offset: int, limit: int | None
) -> Sequence[Contact]:
    """Contacts by last name, first name, address."""
    query = _wanted(account_id, words, group_id)
    order = (func.lower(Contact.last_name), func.lower(Contact.first_name), Contact.email)
    return session.scalars(query.order_by(*order).offset(offset).limit(limit)).all()


def count(session: Session, *, account_id: int, words: str, group_id: int | None) -> int:
    query = _wanted(account_id, words, group_id).subquery()
    return session.scalar(select(func.count()).select_from(query)) or 0


def group(session: Session, *, account_id: int, group_id: int) -> ContactGroup | None:
    query = select(ContactGroup).where(ContactGroup.id == group_id, ContactGroup.account_id == account_id)
    return session.scalars(query).one_or_none()


def group_by_name(session: Session, *, account_id: int, name: str) -> ContactGroup | None:
    query = select(ContactGroup).where(ContactGroup.name == name, ContactGroup.account_id == account_id)
    return session.scalars(query).one_or_none()


def group_of_event(session: Session, *, event_id: int) -> ContactGroup | None:
    return session.scalars(select(ContactGroup).where(ContactGroup.event_id == event_id)).one_or_none()


def groups(session: Session, *, account_id: int) -> list[tuple[ContactGroup, int]]:
    """The account's groups by name, each with the number of its contacts."""
    members = func.count(ContactMembership.contact_id)
    query = (
        select(ContactGroup, members)
        .outerjoin(ContactMembership, ContactMembership.group_id == ContactGroup.id)
        .where(ContactGroup.account_id == account_id)
        .group_by(ContactGroup.id)
        .order_by(func.lower(ContactGroup.name), ContactGroup.id)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def add_members(session: Session, *, group_id: int, contact_ids: Sequence[int]) -> int:
    """Put contacts into a group; how many were not in it before."""
    added = 0
    for part in chunks(contact_ids):
        query = select(ContactMembership.contact_id).where(
            ContactMembership.group_id == group_id, ContactMembership.contact_id.in_(part)
        )
        there = set(session.scalars(query))
        fresh = [one for one in dict.fromkeys(part) if one not in there]
        if fresh:
            rows = [{"group_id": group_id, "contact_id": one} for one in fresh]
            session.execute(insert(ContactMembership), rows)
        added += len(fresh)
    return added


def groups_of(session: Session, *, contact_id: int) -> set[int]:
    query = select(ContactMembership.group_id).where(ContactMembership.contact_id == contact_id)
    return set(session.scalars(query))


def remove_members(session: Session, *, group_id: int, contact_ids: Sequence[int]) -> None:
    for part in chunks(contact_ids):
        session.execute(
            delete(ContactMembership).where(
                ContactMembership.group_id == group_id, ContactMembership.contact_id.in_(part)
            )
        )


def delete_contact(session: Session, contact_id: int) -> None:
    session.execute(delete(ContactMembership).where(ContactMembership.contact_id == contact_id))
    session.execute(delete(Contact).where(Contact.id == contact_id))


def delete_group(session: Session, group_id: int) -> None:
    session.execute(delete(ContactMembership).where(ContactMembership.group_id == group_id))
    session.execute(delete(ContactGroup).where(ContactGroup.id == group_id))


def in_groups(session: Session, *, account_id: int, group_ids: Iterable[int] | None) -> Sequence[Contact]:
    """Contacts that want mail, each once, by address; those of these groups, or all."""
    query = select(Contact).where(Contact.account_id == account_id, Contact.unsubscribed_at.is_(None))
    if group_ids is not None:
        members = select(ContactMembership.contact_id).where(ContactMembership.group_id.in_(list(group_ids)))
        query = query.where(Contact.id.in_(members))
    return session.scalars(query.order_by(Contact.email)).all()


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """`items` in parts that fit into one statement."""
    return (items[at : at + CHUNK] for at in range(0, len(items), CHUNK))
