"""Who may come in, what the pages work with, and how they are rendered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Account, User
from accounts.sign_in import Visitor
from accounts.users import Role
from billing.books import Books, open_books
from events.models import Event, EventSession
from web.billing_parts import BillingParts
from web.site.i18n import N_, language_of, texts
from web.site.render import render
from web.site.security import staff
from web.site.staff import words
from web.site.staff.figures import Figures

BillingStaff = Annotated[Visitor, Depends(staff(Role.BILLING))]

TABS = (
    ("/staff/calls", N_("Calls"), "phone"),
    ("/staff/queues", N_("Queues"), "alert"),
    ("/staff/rates", N_("Price lists"), "card"),
    ("/staff/reratings", N_("Re-ratings"), "undo"),
    ("/staff/books", N_("Books"), "wallet"),
    ("/staff/charts", N_("Charts"), "chart"),
)


def books_of(parts: BillingParts) -> Books:
    """The same books as those of the clerk who rates new calls."""
    return open_books(parts.calls, parts.decks, seller=parts.seller, currency=parts.currency)


def show(
    request: Request, visitor: Visitor, template: str, context: object, *, status: int = 200
) -> HTMLResponse:
    """A page of staff's: the context, and besides `tabs`, `fmt` (figures) and `say` (words)."""
    language = language_of(request)
    values = {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}  # type: ignore[arg-type]
    values |= {
        "tabs": TABS,
        "fmt": Figures(language, visitor.timezone),
        "say": words.teller(language),
    }
    return render(request, f"staff/{template}", values, status=status)


def sentence(request: Request, text: str, **values: str) -> str:
    """A text marked with `N_`, in the reader's language, with its places filled in."""
    said = texts(language_of(request)).gettext(text)
    return said % values if values else said


def actor(visitor: Visitor) -> str:
    """How somebody is written down where prices and postings tell who made them."""
    return f"user:{visitor.user_id}"


def emails(session: Session, account_ids: Iterable[int | None]) -> Mapping[int, str]:
    """The mail address of each account."""
    ids = {number for number in account_ids if number is not None}
    rows = session.execute(select(Account.id, Account.email).where(Account.id.in_(ids))).all() if ids else ()
    return {row.id: row.email for row in rows}


def people(session: Session, actors: Iterable[str | int | None]) -> Mapping[str, str]:
    """Who is behind `user:5` (or the number 5): name and address. Programs are not in it."""
    ids = {int(str(one).removeprefix("user:")) for one in actors if str(one).removeprefix("user:").isdigit()}
    rows: Any = session.scalars(select(User).where(User.id.in_(ids))) if ids else ()
    return {f"user:{user.id}": user.name or user.email for user in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A session with the event it belongs to."""

    id: int
    event_id: int
    event_name: str


def runs(session: Session, session_ids: Iterable[str | int | None]) -> Mapping[str, Run]:
    """Sessions by their id as text; those that nobody knows are left out."""
    ids = {int(one) for one in session_ids if one is not None and str(one).isdigit() and len(str(one)) < 19}
    if not ids:
        return {}
    rows = session.execute(
        select(EventSession.id, Event.id.label("event_id"), Event.name)
        .join(Event, Event.id == EventSession.event_id)
        .where(EventSession.id.in_(ids))
    )
    return {str(row.id): Run(id=row.id, event_id=row.event_id, event_name=row.name) for row in rows}
