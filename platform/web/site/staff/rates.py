"""Pages: price lists — upload, look at, put into force from a day, withdraw, export; and the sample.

A file is taken whole or not at all, and every fault in it is shown with line and column. What is in force is
never changed: a new file is a new version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from accounts.sign_in import Visitor
from billing import deck_shelf, sample_deck
from billing.deck_faults import DeckImportError
from billing.deck_import import COLUMNS, REQUIRED, read_rates, write_rates
from billing.deck_models import RateDeck
from billing.decks import DeckState, DeckTerms, Rate
from billing.errors import BadRateError, DeckStateError, NoSuchDeckError, UnknownCurrencyError
from billing.money import known_currency
from billing.rounding import Rounding
from web.access import AllServices, parse_id, transaction
from web.billing_parts import Parts
from web.errors import not_found
from web.services import Services
from web.site.forms import Form, text_of
from web.site.headers import page_headers
from web.site.i18n import N_, language_of
from web.site.render import notices
from web.site.security import PostedForm
from web.site.staff.desk import BillingStaff, actor, people, sentence, show
from web.site.staff.figures import Figures, utc_of
from web.site.staff.upload import PostedUpload
from web.site.staff.words import fault_text

router = APIRouter(prefix="/staff/rates", include_in_schema=False)
RATES_SHOWN = 500
FAULTS_SHOWN = 200
_log = structlog.get_logger(__name__)
notices(
    staff_uploaded=N_("Saved as a draft: it prices nothing yet. Look at it, then put it into force."),
    staff_activated=N_("The price list is in force. Calls that waited for a price can be rated again now."),
    staff_retired=N_("The price list is withdrawn. Calls that it priced keep their price."),
    staff_deleted=N_("The draft is deleted."),
    staff_sample=N_("The sample is in force. Its prices are made up."),
    staff_no_sample=N_("The sample is only for a house without any price list."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecksPage:
    """What staff/rates.html shows."""

    decks: Sequence[RateDeck]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One fault of a file, in the reader's language. `line` 0: the whole file."""

    line: int
    column: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPage:
    """What staff/rates_new.html shows."""

    form: Form
    faults: Sequence[FaultRow]
    total_faults: int
    roundings: tuple[str, ...] = tuple(Rounding)
    columns: tuple[str, ...] = COLUMNS
    required: tuple[str, ...] = REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeckPage:
    """What staff/deck.html shows."""

    deck: RateDeck
    rates: Sequence[Rate]
    total_rates: int
    people: Mapping[str, str]
    error: str | None
    start: str


@router.get("")
def show_decks(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    with services.readers() as session:
        shown = DecksPage(decks=deck_shelf.all_decks(session), now=services.now())
    return show(request, visitor, "rates.html", shown)


@router.get("/new")
def show_upload(request: Request, visitor: BillingStaff, parts: Parts, services: AllServices) -> Response:
    fmt = Figures("en", visitor.timezone)
    values = {
        "name": request.query_params.get("name", "")[:80],
        "currency": parts.currency,
        "cost_decimals": "4",
        "rounding": Rounding.HALF_UP.value,
        "valid_from": f"{fmt.field(services.now())[:10]}T00:00",
    }
    return _upload_page(request, visitor, Form(values=values))


@router.post("/new")
def upload(
    request: Request, visitor: BillingStaff, posted: PostedUpload, _parts: Parts, services: AllServices
) -> Response:
    fields = posted.fields
    terms, errors = _terms(request, visitor, fields)
    if not posted.content:
        errors["file"] = sentence(request, N_("Choose a file."))
    if errors or terms is None:
        return _upload_page(request, visitor, Form(values=fields, errors=errors))
    try:
        file = read_rates(
            posted.content,
            currency=terms.currency,
            allow_uneven=fields.get("allow_uneven") == "1",
            allow_large=fields.get("allow_large") == "1",
        )
    except DeckImportError as exc:
        return _upload_page(request, visitor, Form(values=fields), exc)
    with transaction(services) as session:
        deck = deck_shelf.add_draft(
            session, terms, file.rates, source=posted.name, by=actor(visitor), now=services.now()
        )
        number = deck.id
    _log.info("staff_deck_uploaded", asked_by=actor(visitor), deck=number, rates=len(file.rates))
    return RedirectResponse(f"/staff/rates/{number}?done=staff_uploaded", status_code=303)


@router.post("/sample")
def install_sample(
    visitor: BillingStaff, _fields: PostedForm, _parts: Parts, services: AllServices
) -> Response:
    now = services.now()
    with transaction(services) as session:
        deck = sample_deck.install(session, valid_from=now, by=actor(visitor), now=now)
        done = "staff_no_sample" if deck is None else "staff_sample"
    return RedirectResponse(f"/staff/rates?done={done}", status_code=303)


@router.get("/{deck_id}")
def show_deck(
    request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices, deck_id: str
) -> Response:
    return _deck_page(request, visitor, services, _id(deck_id))


@router.get("/{deck_id}/export.csv")
def export_deck(_visitor: BillingStaff, _parts: Parts, services: AllServices, deck_id: str) -> Response:
    with services.readers() as session:
        try:
            deck = deck_shelf.get(session, _id(deck_id))
        except NoSuchDeckError as exc:
            raise not_found("price list") from exc
        text = write_rates(deck_shelf.rates_of(session, deck.id), currency=deck.currency)
        name = f"rates-{deck.id}-version-{deck.version}{'-SAMPLE' if deck.sample else ''}.csv"
    headers = dict(page_headers(services.public_url))
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(text, media_type="text/csv", headers=headers)


@router.post("/{deck_id}/activate")
def activate(
    request: Request, visitor: BillingStaff, fields: PostedForm, _parts: Parts, services: AllServices,
    deck_id: str,
) -> Response:  # fmt: skip
    number, start = _id(deck_id), text_of(fields, "valid_from", maximum=40)
    try:
        moment = utc_of(start, ZoneInfo(visitor.timezone))
    except (ValueError, OverflowError):
        error = sentence(request, N_("Write a date, or a date and a time."))
        return _deck_page(request, visitor, services, number, error=error, start=start)
    try:
        with transaction(services) as session:
            deck = deck_shelf.get(session, number)
            if deck.state != DeckState.DRAFT.value:
                raise DeckStateError("only a draft can be put into force")
            if deck.valid_to is not None and deck.valid_to <= moment:
                raise DeckStateError("it would begin after its end")
            deck.valid_from = moment
            session.flush()
            gave_way = deck_shelf.activate(session, number, by=actor(visitor), now=services.now())
            others = [other.id for other in gave_way]
    except NoSuchDeckError as exc:
        raise not_found("price list") from exc
    except DeckStateError as exc:
        error = sentence(request, N_("This price list cannot be put into force: %(why)s."), why=str(exc))
        return _deck_page(request, visitor, services, number, error=error, start=start)
    _log.info("staff_deck_activated", asked_by=actor(visitor), deck=number, gave_way=others)
    return RedirectResponse(f"/staff/rates/{number}?done=staff_activated", status_code=303)


@router.post("/{deck_id}/retire")
def retire(
    request: Request, visitor: BillingStaff, _fields: PostedForm, _parts: Parts, services: AllServices,
    deck_id: str,
) -> Response:  # fmt: skip
    number = _id(deck_id)
    try:
        with transaction(services) as session:
            deck_shelf.retire(session, number, by=actor(visitor), now=services.now())
    except NoSuchDeckError as exc:
        raise not_found("price list") from exc
    except DeckStateError:
        error = sentence(request, N_("Only a price list in force can be withdrawn."))
        return _deck_page(request, visitor, services, number, error=error)
    _log.info("staff_deck_retired", asked_by=actor(visitor), deck=number)
    return RedirectResponse(f"/staff/rates/{number}?done=staff_retired", status_code=303)


@router.post("/{deck_id}/delete")
def delete(
    request: Request, visitor: BillingStaff, _fields: PostedForm, _parts: Parts, services: AllServices,
    deck_id: str,
) -> Response:  # fmt: skip
    number = _id(deck_id)
    try:
        with transaction(services) as session:
            deck_shelf.delete_draft(session, number)
    except NoSuchDeckError as exc:
        raise not_found("price list") from exc
    except DeckStateError:
        error = sentence(request, N_("Only a draft can be deleted."))
        return _deck_page(request, visitor, services, number, error=error)
    return RedirectResponse("/staff/rates?done=staff_deleted", status_code=303)


def _id(text: str) -> int:
    return parse_id(text, digits_max=9, what="price list")


def _terms(
    request: Request, visitor: Visitor, fields: Mapping[str, str]
) -> tuple[DeckTerms | None, dict[str, str]]:
    errors: dict[str, str] = {}
    name, currency = fields.get("name", "").strip(), fields.get("currency", "").strip().upper()
    if not (0 < len(name) <= 80 and name.isprintable()):
        errors["name"] = sentence(request, N_("Write a name of 1 to 80 characters."))
    if not known_currency(currency):
        errors["currency"] = sentence(request, N_("Write three capital letters, such as EUR."))
    rounding, decimals = fields.get("rounding", ""), fields.get("cost_decimals", "")
    if rounding not in list(Rounding):
        errors["rounding"] = sentence(request, N_("Choose one of the list."))
    if decimals not in tuple("0123456"):
        errors["cost_decimals"] = sentence(request, N_("Write a number from 0 to 6."))
    moments: dict[str, datetime | None] = {"valid_from": None, "valid_to": None}
    for key in moments:
        text = fields.get(key, "").strip()
        try:
            moments[key] = utc_of(text, ZoneInfo(visitor.timezone)) if text else None
        except (ValueError, OverflowError):
            errors[key] = sentence(request, N_("Write a date, or a date and a time."))
    start, end = moments["valid_from"], moments["valid_to"]
    if start is None and "valid_from" not in errors:
        errors["valid_from"] = sentence(request, N_("Say from when it is in force."))
    if start is not None and end is not None and end <= start:
        errors["valid_to"] = sentence(request, N_("The end lies before the beginning."))
    if errors or start is None:
        return None, errors
    try:
        return DeckTerms(
            name=name, currency=currency, cost_decimals=int(decimals), rounding=Rounding(rounding),
            valid_from=start, valid_to=end,
        ), errors  # fmt: skip
    except (BadRateError, UnknownCurrencyError) as exc:
        return None, {"name": str(exc)}


def _upload_page(
    request: Request, visitor: Visitor, form: Form, faults: DeckImportError | None = None
) -> Response:
    language = language_of(request)
    found = () if faults is None else faults.faults
    rows = [
        FaultRow(line=one.line, column=one.column, text=fault_text(language, one.slug, one.values))
        for one in found[:FAULTS_SHOWN]
    ]
    shown = UploadPage(form=form, faults=rows, total_faults=len(found))
    return show(request, visitor, "rates_new.html", shown, status=422 if form.errors or rows else 200)


def _deck_page(
    request: Request, visitor: Visitor, services: Services, number: int, *, error: str | None = None,
    start: str = "",
) -> Response:  # fmt: skip
    with services.readers() as session:
        try:
            deck = deck_shelf.get(session, number)
        except NoSuchDeckError as exc:
            raise not_found("price list") from exc
        rates = deck_shelf.rates_of(session, number)
        shown = DeckPage(
            deck=deck,
            rates=rates[:RATES_SHOWN],
            total_rates=len(rates),
            people=people(session, (deck.created_by, deck.activated_by, deck.retired_by)),
            error=error,
            start=start or Figures("en", visitor.timezone).field(deck.valid_from),
        )
    return show(request, visitor, "deck.html", shown, status=409 if error else 200)
