"""What can be done with an address book. No function commits.

An address is in an account's book once. What comes again, from a file, a program or a registration, fills in
and changes what it brings and never empties a field. Whoever unsubscribed stays unsubscribed, whatever list
they are on again; only they themselves, or the organiser on their word, take it back.

Everybody who registers for an event lands in the group of that event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from contacts import csv_file, repository
from contacts.errors import BadContactError, UnknownContactError
from contacts.fields import ContactFields, parse_email, parse_group
from contacts.models import Contact, ContactGroup

PAGE_SIZE = 100
GROUPS_MAX = 1_000
_TEXTS = ("first_name", "last_name", "phone", "company", "country")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Somebody to write to. `name` may be empty."""

    contact_id: int
    email: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of a file."""

    created: int
    updated: int
    file: csv_file.ReadFile


def save(
    session: Session, *, account_id: int, fields: ContactFields, now: datetime, overwrite: bool = True
) -> tuple[Contact, bool]:
    """The contact of that address, brought up to date; True when it is new. Without `overwrite` only empty
    fields are filled, for what strangers say about themselves.
    """
    created, _updated = save_all(
        session, account_id=account_id, contacts=[fields], now=now, overwrite=overwrite
    )
    found = repository.by_emails(session, account_id=account_id, emails=[fields.email])
    return found[fields.email], created == 1


def save_all(
    session: Session,
    *,
    account_id: int,
    contacts: Sequence[ContactFields],
    now: datetime,
    overwrite: bool = True,
) -> tuple[int, int]:
    """As `save`, for many, each address once; how many were new and how many changed."""
    created = updated = 0
    for part in repository.chunks(contacts):
        known = repository.by_emails(session, account_id=account_id, emails=[one.email for one in part])
        fresh = [one for one in part if one.email not in known]
        if fresh and not _insert(session, account_id, fresh, now):
            # Somebody else is adding the same people at this moment: one at a time, whoever is first.
            fresh = [one for one in fresh if _insert(session, account_id, [one], now)]
        created += len(fresh)
        updated += sum(_fill(known[one.email], one, now, overwrite) for one in part if one.email in known)
    session.flush()
    return created, updated


def change(session: Session, contact: Contact, *, fields: ContactFields, now: datetime) -> None:
    """Everything as the form says, empty fields too. Raises BadContactError for another contact's address."""
    if fields.email != contact.email:
        taken = repository.by_emails(session, account_id=contact.account_id, emails=[fields.email])
        if taken:
            raise BadContactError([("email", "is taken")])
    contact.email = fields.email
    for name in _TEXTS:
        setattr(contact, name, getattr(fields, name))
    contact.updated_at = now
    session.flush()


def get(session: Session, *, account_id: int, contact_id: int) -> Contact:
    """The account's contact. Raises UnknownContactError."""
    found = repository.contact(session, account_id=account_id, contact_id=contact_id)
    if found is None:
        raise UnknownContactError(f"there is no contact {contact_id}")
    return found


def find(
    session: Session, *, account_id: int, words: str = "", group_id: int | None = None, page: int = 1
) -> tuple[Sequence[Contact], int]:
    """One page (from 1) of those that have all `words`, and how many there are in all."""
    offset = (page - 1) * PAGE_SIZE
    found = repository.page(
        session, account_id=account_id, words=words, group_id=group_id, offset=offset, limit=PAGE_SIZE
    )
    return found, repository.count(session, account_id=account_id, words=words, group_id=group_id)


def delete(session: Session, contact: Contact) -> None:
    repository.delete_contact(session, contact.id)


def set_unsubscribed(session: Session, contact: Contact, *, on: bool, now: datetime) -> None:
    """Whether the contact wants no mail."""
    if (contact.unsubscribed_at is not None) != on:
        contact.unsubscribed_at = now if on else None
        session.flush()


def unsubscribe(session: Session, *, account_id: int, email: str, now: datetime) -> bool:
    """The person of that address wants no mail of this account; False when the book does not know them."""
    wanted = parse_email(email)
    if wanted is None:
        return False
    found = repository.by_emails(session, account_id=account_id, emails=[wanted]).get(wanted)
    if found is not None:
        set_unsubscribed(session, found, on=True, now=now)
    return found is not None


def unsubscribed(session: Session, *, account_id: int, emails: Iterable[str]) -> set[str]:
    """Those of the addresses (lower case) that want no mail of this account."""
    found = repository.by_emails(session, account_id=account_id, emails=list(emails))
    return {email for email, contact in found.items() if contact.unsubscribed_at is not None}


def is_unsubscribed(session: Session, *, account_id: int, email: str) -> bool:
    """Whether the person of that address wants no mail of this account."""
    return bool(unsubscribed(session, account_id=account_id, emails=[email.strip().lower()]))


def addresses(session: Session, account_id: int, group_ids: Iterable[int] | None) -> Sequence[Address]:
    """Who to write to when these groups (None: the whole book) are invited: each once, by address, without
    those who unsubscribed. Groups of other accounts are empty.
    """
    return [
        Address(contact_id=one.id, email=one.email, name=f"{one.first_name} {one.last_name}".strip())
        for one in repository.in_groups(session, account_id=account_id, group_ids=group_ids)
    ]


def groups(session: Session, *, account_id: int) -> Sequence[tuple[ContactGroup, int]]:
    """The account's groups by name, each with the number of its contacts."""
    return repository.groups(session, account_id=account_id)


def get_group(session: Session, *, account_id: int, group_id: int) -> ContactGroup:
    """The account's group. Raises UnknownContactError."""
    found = repository.group(session, account_id=account_id, group_id=group_id)
    if found is None:
        raise UnknownContactError(f"there is no group {group_id}")
    return found


def make_group(session: Session, *, account_id: int, name: str, now: datetime) -> ContactGroup:
    """The account's group of that name, new or not. Raises BadContactError."""
    wanted = parse_group(name)
    found = repository.group_by_name(session, account_id=account_id, name=wanted)
    if found is not None:
        return found
    if len(repository.groups(session, account_id=account_id)) >= GROUPS_MAX:
        raise BadContactError([("name", f"there are {GROUPS_MAX} groups, which is all there may be")])
    row = ContactGroup(account_id=account_id, name=wanted, event_id=None, created_at=now)
    if _added(session, row):
        return row
    other = repository.group_by_name(session, account_id=account_id, name=wanted)
    assert other is not None
    return other


def rename_group(session: Session, group: ContactGroup, *, name: str) -> None:
    """Raises BadContactError for the name of another group."""
    wanted = parse_group(name)
    if wanted == group.name:
        return
    if repository.group_by_name(session, account_id=group.account_id, name=wanted) is not None:
        raise BadContactError([("name", "is taken")])
    group.name = wanted
    session.flush()


def delete_group(session: Session, group: ContactGroup) -> None:
    """The group is gone, its contacts stay."""
    repository.delete_group(session, group.id)


def group_of_event(
    session: Session, *, account_id: int, event_id: int, name: str, now: datetime
) -> ContactGroup:
    """The group in which everybody who registers for the event lands; made when the first one does."""
    wanted = parse_group(name[:180]) if name.strip() else f"#{event_id}"
    for candidate in (wanted, f"{wanted} (#{event_id})"):
        found = repository.group_of_event(session, event_id=event_id)
        if found is not None:
            return found
        if repository.group_by_name(session, account_id=account_id, name=candidate) is None:
            row = ContactGroup(account_id=account_id, name=candidate, event_id=event_id, created_at=now)
            if _added(session, row):
                return row
    found = repository.group_of_event(session, event_id=event_id)
    assert found is not None
    return found


def add_to_group(session: Session, group: ContactGroup, contacts: Sequence[Contact]) -> int:
    """Put contacts into a group; how many were not in it before."""
    return repository.add_members(session, group_id=group.id, contact_ids=[one.id for one in contacts])


def set_groups(session: Session, contact: Contact, group_ids: Iterable[int]) -> None:
    """The contact is in these of the account's groups and in no other."""
    own = {group.id for group, _ in repository.groups(session, account_id=contact.account_id)}
    wanted, there = set(group_ids) & own, repository.groups_of(session, contact_id=contact.id)
    for group_id in wanted - there:
        repository.add_members(session, group_id=group_id, contact_ids=[contact.id])
    for group_id in there - wanted:
        repository.remove_members(session, group_id=group_id, contact_ids=[contact.id])


def import_file(
    session: Session,
    *,
    account_id: int,
    file: csv_file.ReadFile,
    group: ContactGroup | None,
    now: datetime,
) -> Imported:
    """Take the contacts of a file that was read (`csv_file.read`) into the book, and into `group`."""
    created, updated = save_all(session, account_id=account_id, contacts=file.contacts, now=now)
    if group is not None:
        emails = [one.email for one in file.contacts]
        known = repository.by_emails(session, account_id=account_id, emails=emails)
        add_to_group(session, group, list(known.values()))
    return Imported(created=created, updated=updated, file=file)


def export(session: Session, *, account_id: int, group_id: int | None = None) -> Iterator[str]:
    """The book, or one group, as the lines of a CSV file that `import_file` takes again."""
    found = repository.page(session, account_id=account_id, words="", group_id=group_id, offset=0, limit=None)
    columns = (*csv_file.COLUMNS, "unsubscribed")
    rows = (
        [
            *(getattr(one, name) for name in csv_file.COLUMNS),
            "" if one.unsubscribed_at is None else one.unsubscribed_at.isoformat(timespec="seconds"),
        ]
        for one in found
    )
    yield from csv_file.write(rows, columns)


def _insert(session: Session, account_id: int, contacts: Sequence[ContactFields], now: datetime) -> bool:
    rows = [
        Contact(
            account_id=account_id,
            email=one.email,
            first_name=one.first_name,
            last_name=one.last_name,
            phone=one.phone,
            company=one.company,
            country=one.country,
            created_at=now,
            updated_at=now,
        )
        for one in contacts
    ]
    return _added(session, *rows)


def _added(session: Session, *rows: Contact | ContactGroup) -> bool:
    try:
        with session.begin_nested():
            session.add_all(rows)
    except IntegrityError:
        return False
    return True


def _fill(contact: Contact, fields: ContactFields, now: datetime, overwrite: bool) -> bool:
    changed = False
    for name in _TEXTS:
        value = getattr(fields, name)
        old = getattr(contact, name)
        if value and value != old and (overwrite or not old):
            setattr(contact, name, value)
            changed = True
    if changed:
        contact.updated_at = now
    return changed
