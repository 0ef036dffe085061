"""Billing as the settings want it: gateways, rates, charges, invoices, and the thread that carries them on.

One thread does in turn what is due: rate and charge sessions, carry on with payments, ask VIES, issue
invoices.  Each of these may die between any two steps, so the thread needs no order of its own; what fails
is logged and tried again with the next turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
import uvicorn
from sqlalchemy.orm import Session, sessionmaker

from billing import sample_deck
from billing.books import Books, open_books
from billing.deck_shelf import DeckShelf
from billing.invoices.issue import InvoiceDesk
from billing.invoices.seller import SellerDetails
from billing.invoices.vies import LIVE_URL as VIES_URL
from billing.invoices.vies import VatChecker, ViesClient
from billing.metering import MeterEvent
from billing.payments.cashier import Cashier, PaymentRunner
from billing.payments.fund_mails import FundMails
from billing.payments.gateway import PaymentGateway
from billing.payments.hooks import HookDesk
from billing.payments.notices import PaymentMails
from billing.payments.paypal_gateway import PayPalGateway
from billing.payments.stripe_gateway import StripeGateway
from billing.payments.test_gateway.app import create_app as create_sandbox
from billing.payments.test_gateway.books import Books as SandboxBooks
from billing.payments.test_gateway.client import SandboxGateway
from billing.payments.test_gateway.hooks import Courier
from billing.tickets.desk import TicketDesk
from billing.tickets.mails import BuyerMails
from billing.tickets.sales import TicketSales
from billing.usage_runner import UsageRunner
from bridge.cdr.billable import CdrCalls
from database.errors import is_outage
from database.types import now_utc
from events.wording import Number
from mail.outbox import Outbox
from tollbridge.settings import Settings
from tollbridge.web_server import WebServer
from web.billing_parts import BillingParts

_log = structlog.get_logger(__name__)

TURN_S = 5.0
SLOW_TURN_S = 300.0


def seller(settings: Settings) -> SellerDetails:
    """The operator, for invoices."""
    return SellerDetails(
        name=settings.seller_name,
        address=settings.seller_address,
        country=settings.seller_country,
        vat_number=settings.seller_vat_number,
        registration=settings.seller_registration,
        email=settings.seller_email,
        number_prefix=settings.invoice_prefix,
        timezone=settings.seller_timezone,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingHouse:
    """The parts of billing, for pages, calls and commands."""

    parts: BillingParts
    sandbox_url: str | None


def rating_parts(settings: Settings) -> tuple[CdrCalls, DeckShelf, Books]:
    """What rates and charges calls; used by commands, too."""
    calls, shelf = CdrCalls(), DeckShelf()
    return calls, shelf, open_books(calls, shelf, seller=seller(settings), currency=settings.currency)


@contextlib.asynccontextmanager
async def billing_house(
    settings: Settings, *, sessions: sessionmaker[Session], mail: Outbox, numbers: Sequence[Number] = ()
) -> AsyncIterator[BillingHouse]:
    """All of billing, started; stopped on the way out. Raises OSError when a port or file cannot be used."""
    calls, shelf, books = rating_parts(settings)
    if settings.sample_rates:
        with sessions.begin() as session:
            now = now_utc()
            sample_deck.install(session, valid_from=now, by="system", now=now)
    async with contextlib.AsyncExitStack() as stack:
        gateways = list(stack.enter_context(providers(settings)))
        sandbox_url = None
        if not gateways:
            sandbox, sandbox_url = await stack.enter_async_context(_sandbox(settings))
            gateways.append(sandbox)
        sales = TicketSales(BuyerMails(public_url=settings.web_address, numbers=lambda: numbers))
        cashier = Cashier(
            sessions, gateways, public_url=settings.web_address, default_currency=settings.currency,
            by_kind=sales.by_kind,
        )  # fmt: skip
        notify = PaymentMails(
            lambda session, letter, key: mail.enqueue(session, letter, key=key),
            billing_url=f"{settings.web_address}/billing",
        )
        usage_runner = UsageRunner(sessions, books.rating, books.usage)
        vies = ViesClient(requester=settings.seller_vat_number, base_url=settings.vies_url or VIES_URL)
        stack.callback(vies.close)
        house = BillingHouse(
            parts=BillingParts(
                cashier=cashier,
                hooks=HookDesk(sessions, cashier.gateway, notify, sales.by_kind),
                tickets=TicketDesk(sessions, cashier, sales),
                decks=shelf,
                calls=calls,
                seller=seller(settings),
                currency=settings.currency,
            ),
            sandbox_url=sandbox_url,
        )
        clerk = Clerk(
            often=[usage_runner.run, PaymentRunner(sessions, cashier, notify=notify).run_once],
            seldom=[VatChecker(sessions, vies).run_once, InvoiceDesk(sessions, seller(settings)).run_once],
        )
        clerk.start()
        stack.callback(clerk.stop)
        yield house


@contextlib.contextmanager
def providers(settings: Settings) -> Iterator[list[PaymentGateway]]:
    """The payment providers that have keys."""
    found: list[PaymentGateway] = []
    with contextlib.ExitStack() as stack:
        if settings.stripe_secret_key is not None and settings.stripe_webhook_secret is not None:
            found.append(
                StripeGateway(
                    secret_key=settings.stripe_secret_key.get_secret_value(),
                    hook_secret=settings.stripe_webhook_secret.get_secret_value(),
                    base_url=settings.stripe_api_url,
                )
            )
        if (
            settings.paypal_client_id is not None
            and settings.paypal_secret is not None
            and settings.paypal_webhook_id is not None
        ):
            paypal = PayPalGateway(
                client_id=settings.paypal_client_id,
                secret=settings.paypal_secret.get_secret_value(),
                webhook_id=settings.paypal_webhook_id,
                base_url=settings.paypal_api_url,
            )
            stack.callback(paypal.close)
            found.append(paypal)
        yield found


@contextlib.asynccontextmanager
async def _sandbox(settings: Settings) -> AsyncIterator[tuple[SandboxGateway, str]]:
    """The test provider on its own port, and the gateway to it."""
    api_key, hook_secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    books = SandboxBooks(settings.data_dir / "test_payments.db")
    courier = Courier(books, url=f"{settings.web_address}/hooks/payments/test", secret=hook_secret)
    async with WebServer.bound(settings.http_host, settings.sandbox_port) as server:
        base_url = settings.model_copy(update={"http_port": server.port, "public_url": None}).web_address
        gateway = SandboxGateway(base_url=base_url, api_key=api_key, hook_secret=hook_secret)
        app = create_sandbox(books, base_url=base_url, api_key=api_key, courier=courier)
        await server.serve(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))
        try:
            yield gateway, base_url
        finally:
            gateway.close()
            await server.stop()
            courier.close()
            books.close()


def fund_notices(
    settings: Settings, *, sessions: sessionmaker[Session], mail: Outbox
) -> Callable[[int, MeterEvent], None]:
    """What the live meter's warnings become: mail. Called on the event loop, so the writing is elsewhere."""
    mails = FundMails(
        lambda session, letter, key: mail.enqueue(session, letter, key=key),
        billing_url=f"{settings.web_address}/billing",
        now=now_utc,
    )

    def write(notice: MeterEvent) -> None:
        try:
            with sessions.begin() as session:
                mails(session, notice)
        except Exception:
            _log.exception("fund_mail_not_written")

    def told(_account_id: int, notice: MeterEvent) -> None:
        if mails.wanted(notice):
            asyncio.get_running_loop().run_in_executor(None, write, notice)

    return told


class Clerk:
    """The thread of the module text. `often` runs every few seconds, `seldom` every few minutes."""

    def __init__(
        self, *, often: list[Callable[[datetime], Any]], seldom: list[Callable[[datetime], Any]]
    ) -> None:
        self._often, self._seldom = often, seldom
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="billing", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being done, and no more."""
        self._stopping.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        turns = 0
        while not self._stopping.wait(TURN_S if turns else 1.0):
            work = list(self._often)
            if turns % round(SLOW_TURN_S / TURN_S) == 0:
                work += self._seldom
            turns += 1
            for job in work:
                if self._stopping.is_set():
                    return
                try:
                    job(now_utc())
                except Exception as exc:
                    if is_outage(exc):
                        _log.warning("billing_waits_for_the_database")
                        break
                    _log.exception("billing_job_failed")
