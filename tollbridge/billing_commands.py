"""`tollbridge billing …` and `tollbridge rates …`: the books on the command line."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbridge.cli_tools import AccountName, database, fail, utc

if TYPE_CHECKING:
    from billing.trial_balance import Mismatch

billing_app = typer.Typer(help="Trial balance and reconciliation.", no_args_is_help=True)
rates_app = typer.Typer(help="Rate decks: what a minute costs.", no_args_is_help=True)

CsvFile = Annotated[Path, typer.Argument(help="CSV file of rates; see docs/rating.md.")]
Currency = Annotated[str, typer.Option("--currency", help="Currency of the deck (ISO 4217).")]
DeckNumber = Annotated[int, typer.Argument(help="Number of the deck, as `rates list` shows it.")]
AllowUneven = Annotated[
    bool, typer.Option("--allow-uneven", help="Take rates whose first block is no multiple of the next ones.")
]
AllowLarge = Annotated[
    bool, typer.Option("--allow-large", help="Take prices that look too large to be meant.")
]


def _end_with(mismatches: list[Mismatch], *, right: str) -> None:
    for one in mismatches:
        typer.echo(f"{one.check}: {one.subject}: {one.detail}")
    if mismatches:
        fail(f"{len(mismatches)} mismatches")
    typer.echo(right)


@billing_app.command("trial-balance")
def trial_balance() -> None:
    """Print what all accounts of the ledger come to; status 1 when anything does not agree."""
    from billing import trial_balance as books

    with database() as (_, stores), stores.sessions.begin() as session:
        rows, wrong = books.rows(session), books.mismatches(session)
    for row in rows:
        sums = f"{row.debit.amount:>16}  {row.credit.amount:>16}"
        typer.echo(f"{row.currency}  {row.kind:<12} {row.accounts:>7}  {sums}")
    _end_with(wrong, right="the books agree")


@billing_app.command("reconcile")
def reconcile(
    since: Annotated[
        datetime | None, typer.Option("--since", help="From this moment (UTC) on; default: 35 days ago.")
    ] = None,
) -> None:
    """Compare calls, prices, charges, holds and providers' books; print each mismatch, status 1 if any."""
    from billing import reconciliation
    from bridge.cdr.billable import CdrCalls
    from bridge.cdr.open_legs import OpenCalls
    from database.types import now_utc
    from tollbridge.billing_wiring import providers

    with (
        database() as (settings, stores),
        providers(settings) as gateways,
        stores.sessions.begin() as session,
    ):
        wrong = reconciliation.reconcile(
            session, calls=CdrCalls(), now=now_utc(), since=utc(since), providers=gateways, legs=OpenCalls()
        )
    _end_with(wrong, right="everything agrees")


@billing_app.command("tickets-paid-out")
def tickets_paid_out(
    account: AccountName,
    amount: Annotated[str, typer.Option("--amount", help="How much, such as 125.00.")],
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217.")],
    reference: Annotated[str, typer.Option("--reference", help="The bank transfer's own; counts once.")],
    staff: Annotated[str, typer.Option("--by", help="Who says so.")],
) -> None:
    """Note in the ledger that an organiser was sent what their tickets brought; moves no money itself."""
    from decimal import Decimal, InvalidOperation

    from accounts.service import find_account
    from billing import ledger
    from billing.payments import amounts
    from database.types import now_utc

    with database() as (_, stores), stores.sessions.begin() as session:
        found = find_account(session, account)
        try:
            money = amounts.of(Decimal(amount), currency.upper())
        except InvalidOperation:
            fail(f"{amount!r} is no amount")
        posted = ledger.pay_out_tickets(
            session, found.id, money, idem=f"{found.id}:{reference}"[:200], actor=staff[:200],
            reason=reference[:200], at=now_utc(),
        )  # fmt: skip
    typer.echo(f"transaction {posted.id}: {money}" + (", noted before" if posted.replayed else ""))


@rates_app.command("check")
def check(
    file: CsvFile,
    currency: Currency = "EUR",
    allow_uneven: AllowUneven = False,
    allow_large: AllowLarge = False,
) -> None:
    """Read a file of rates and print every fault in it."""
    from billing.deck_import import read_rates
    from billing.errors import BillingError

    try:
        found = read_rates(
            _content(file), currency=currency, allow_uneven=allow_uneven, allow_large=allow_large
        )
    except BillingError as exc:
        fail(str(exc))
    typer.echo(f"{len(found.rates)} rates, no fault")


@rates_app.command("import")
def import_(
    file: CsvFile,
    name: Annotated[str, typer.Option("--name", help="Name of the deck; the same again is a new version.")],
    valid_from: Annotated[datetime, typer.Option("--from", help="First moment (UTC) whose calls it prices.")],
    valid_to: Annotated[
        datetime | None, typer.Option("--to", help="First moment (UTC) that it does not price any more.")
    ] = None,
    currency: Currency = "EUR",
    decimals: Annotated[
        int, typer.Option("--decimals", help="Digits to which a call's cost is rounded.")
    ] = 4,
    activate: Annotated[bool, typer.Option("--activate", help="Let it price calls at once.")] = False,
    allow_uneven: AllowUneven = False,
    allow_large: AllowLarge = False,
) -> None:
    """Save a file of rates as a draft, or put it into force."""
    from billing import deck_shelf
    from billing.deck_import import read_rates
    from billing.decks import DeckTerms
    from database.types import now_utc
    from tollbridge.billing_wiring import rating_parts

    content, now = _content(file), now_utc()
    with database() as (settings, stores), stores.sessions.begin() as session:
        rates = read_rates(content, currency=currency, allow_uneven=allow_uneven, allow_large=allow_large)
        begin, end = utc(valid_from), utc(valid_to)
        assert begin is not None
        terms = DeckTerms(
            name=name, currency=currency, cost_decimals=decimals, valid_from=begin, valid_to=end
        )
        deck = deck_shelf.add_draft(session, terms, rates.rates, source=file.name, by="command line", now=now)
        typer.echo(f"deck {deck.id}: {deck.name} version {deck.version}, {len(rates.rates)} rates")
        if activate:
            for gone in deck_shelf.activate(session, deck.id, by="command line", now=now):
                typer.echo(f"deck {gone.id}: {gone.name} version {gone.version} gave way")
            rating_parts(settings)[2].rating.rate_waiting(session, now=now)


@rates_app.command("activate")
def activate(deck: DeckNumber) -> None:
    """Let a draft price calls of its time, and rate what waited for a price."""
    from billing import deck_shelf
    from database.types import now_utc
    from tollbridge.billing_wiring import rating_parts

    with database() as (settings, stores), stores.sessions.begin() as session:
        now = now_utc()
        for gone in deck_shelf.activate(session, deck, by="command line", now=now):
            typer.echo(f"deck {gone.id}: {gone.name} version {gone.version} gave way")
        result = rating_parts(settings)[2].rating.rate_waiting(session, now=now)
        typer.echo(f"{result.rated} waiting calls have a price now")


@rates_app.command("list")
def list_() -> None:
    """Print all decks."""
    from billing import deck_shelf

    with database() as (_, stores), stores.readers() as session:
        for deck in deck_shelf.all_decks(session):
            end = "" if deck.valid_to is None else f" to {deck.valid_to:%Y-%m-%d %H:%M}"
            sample = "  (sample)" if deck.sample else ""
            typer.echo(
                f"{deck.id:>4}  {deck.name} version {deck.version}  {deck.state}  {deck.currency}  "
                f"from {deck.valid_from:%Y-%m-%d %H:%M}{end}{sample}"
            )


@rates_app.command("export")
def export(deck: DeckNumber) -> None:
    """Print a deck's rates as the CSV that `import` reads."""
    from billing import deck_shelf
    from billing.deck_import import write_rates

    with database() as (_, stores), stores.readers() as session:
        row = deck_shelf.get(session, deck)
        sys.stdout.write(write_rates(deck_shelf.rates_of(session, deck), currency=row.currency))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        fail(f"{file} cannot be read: {exc.strerror}")
