"""A shop with a cashier, a runner and a desk for web hooks, and the test provider next door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import ledger
from billing.ledger_models import LedgerTransaction
from billing.money import Money
from billing.payments import charges
from billing.payments.cashier import Cashier, PaymentRunner
from billing.payments.charges import Notice
from billing.payments.errors import BadHookError, BadSignatureError
from billing.payments.hooks import HookDesk
from billing.payments.models import Attempt, Charge, Checkout
from billing.payments.test_gateway.app import Till, create_app
from billing.payments.test_gateway.books import Books
from billing.payments.test_gateway.client import SandboxGateway
from billing.payments.test_gateway.hooks import Courier
from billing.tickets.desk import TicketDesk
from billing.tickets.mails import BuyerMails
from billing.tickets.sales import TicketSales
from billing.trial_balance import mismatches
from tests.billing.payments.server import free_socket, serving, url_of

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
KEY, SECRET = "test_key", "test_secret"


class Killed(BaseException):
    """The process died here."""


class Scene:
    """Everything of one test. `now` moves by hand; at `die_at` the next step dies."""

    def __init__(self, sessions: sessionmaker[Session], provider_url: str, books: Books) -> None:
        self.sessions = sessions
        self.now = START
        self.die_at = ""
        self.notices: list[Notice] = []
        self.books = books
        self.gateway = SandboxGateway(base_url=provider_url, api_key=KEY, hook_secret=SECRET)
        self.sales = TicketSales(BuyerMails(public_url="http://shop.example"))
        self.cashier = Cashier(
            sessions, [self.gateway], public_url="http://shop.example", by_kind=self.sales.by_kind,
            checkpoint=self._checkpoint,
        )  # fmt: skip
        self.tickets = TicketDesk(sessions, self.cashier, self.sales)
        self.runner = PaymentRunner(sessions, self.cashier, notify=self._notify, checkpoint=self._checkpoint)
        self.desk = HookDesk(sessions, self.cashier.gateway, self._notify, self.sales.by_kind)
        self.payer = httpx.Client()
        self.till: Till
        self.courier: Courier
        with sessions.begin() as session:
            self.account_id = create_account(session, email="a@example.org", now=START).account.id

    def _notify(self, _session: Session, notice: Notice) -> None:
        self.notices.append(notice)

    def _checkpoint(self, name: str) -> None:
        if name == self.die_at:
            self.die_at = ""
            raise Killed(name)

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def run(self) -> dict[str, int]:
        done = dict(self.runner.run_once(self.now))
        assert "fault" not in done, done
        return done

    def deliver(self) -> int:
        return self.courier.run_once(self.now.timestamp())

    def start(self, minor: int | None = 5000, *, key: str = "k1", save_card: bool = False) -> Checkout:
        return self.cashier.start(
            self.account_id, amount=None if minor is None else Money(minor, "EUR"), email="a@example.org",
            idem_key=key, save_card=save_card, now=self.now,
        )  # fmt: skip

    def choose(self, checkout: Checkout, outcome: str = "pay", **form: str) -> httpx.Response:
        return self.payer.post(checkout.url, data={"outcome": outcome, **form})

    def finish(self, checkout: Checkout) -> Checkout:
        return self.cashier.finish(self.account_id, checkout.public_id, now=self.now)

    def with_card(self, behaviour: str = "good") -> None:
        """Leave a card of that behaviour."""
        checkout = self.start(None, key=f"card-{behaviour}")
        self.choose(checkout, card=behaviour)
        assert self.finish(checkout).state == "paid"

    def use(self, minor: int, *, session_id: int = 1, charge: bool = True) -> int:
        """A session was used for so much, without tax; what the wallet lacks is queued for the card."""
        money = Money(minor, "EUR")
        with self.sessions.begin() as session:
            posted = ledger.usage(
                session, self.account_id, session_id, rating_version=1, net=money, vat=Money.zero("EUR"),
                vat_country=None, at=self.now,
            )  # fmt: skip
            short = sum(e.amount for e in posted.entries if e.account.kind == "receivable")
            if short and charge:
                charges.request_charge(
                    session, self.account_id, Money(short, "EUR"), usage_tx=posted.id, now=self.now
                )
        return posted.id

    @property
    def balance(self) -> tuple[int, int]:
        """Wallet and receivable, minor units; on the way it checks that the books balance."""
        with self.sessions.begin() as session:
            assert mismatches(session) == []
            found = ledger.balance(session, self.account_id, "EUR")
        return found.posted.minor, found.receivable.minor

    @property
    def provider_took(self) -> int:
        """What the provider's own books say that it holds for us."""
        lines = self.gateway.list_transactions(START - timedelta(days=1), START + timedelta(days=400))
        return sum(line.amount.minor - line.fee.minor for line in lines)

    def rows(self, model: Any) -> list[Any]:
        with self.sessions.begin() as session:
            return list(session.scalars(select(model).order_by(model.id)))

    def transactions(self, type_: str) -> int:
        query = select(func.count()).select_from(LedgerTransaction).where(LedgerTransaction.type == type_)
        with self.sessions.begin() as session:
            return session.scalar(query) or 0

    @property
    def charge(self) -> Charge:
        return self.rows(Charge)[-1]

    @property
    def attempts(self) -> list[Attempt]:
        return self.rows(Attempt)


@contextmanager
def open_scene(sessions: sessionmaker[Session]) -> Iterator[Scene]:
    provider, shop = free_socket(), free_socket()
    books = Books()
    scene = Scene(sessions, url_of(provider), books)
    scene.courier = Courier(books, url=f"{url_of(shop)}/hooks/payments/test", secret=SECRET)
    provider_app = create_app(
        books, base_url=url_of(provider), api_key=KEY, clock=lambda: scene.now.timestamp()
    )
    scene.till = provider_app.state.till
    try:
        with serving(provider_app, provider), serving(shop_app(scene), shop):
            yield scene
    finally:
        scene.payer.close()
        scene.gateway.close()
        scene.courier.close()
        books.close()


def shop_app(scene: Scene) -> FastAPI:
    """The shop's end of the web hooks."""
    app = FastAPI()

    @app.post("/hooks/payments/{psp}")
    async def receive(psp: str, request: Request) -> JSONResponse:
        body = await request.body()
        try:
            outcomes = scene.desk.receive(psp, request.headers, body, now=scene.now)
        except (BadSignatureError, BadHookError) as exc:
            return JSONResponse({"message": str(exc)}, status_code=400)
        return JSONResponse(outcomes)

    return app
