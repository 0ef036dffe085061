"""Money around a whole product: a toll-free number and its price, a paying customer, and time that passes.

    till = Till(product)
    till.price(per_minute="4")                  into force before anybody calls
    till.customer(country="NL", exposure=5000)
    till.top_up("5.00", card="good")            through the test provider's page, like a payer
    …                                           calls to TOLL_FREE
    till.quarter_of_an_hour_later()             ended sessions are due for their charge now

A charge comes 15 minutes after its session's end, in the product's own time.  A test cannot wait that long,
so it moves the end back instead: the product's own clerk then finds it due within seconds.
"""

from __future__ import annotations

import secrets
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Account
from billing import profile, reconciliation
from billing.ledger_models import UsageWork
from billing.money import Money
from billing.payments.gateway import ProviderTransaction
from billing.payments.test_gateway.books import Books
from billing.trial_balance import Mismatch
from billing.usage_runner import LATE
from bridge.cdr.billable import CdrCalls
from bridge.cdr.open_legs import OpenCalls
from database.engine import create_engine, make_sessions
from database.types import now_utc
from events.models import EventSession
from tests.support.product import ROOT, Product

TOLL_FREE = "+33800912345"
SELLER = {
    "seller_name": "Tollbridge Test BV",
    "seller_address": "Keizersgracht 1;1015 CJ Amsterdam",
    "seller_country": "NL",
    "seller_vat_number": "NL004495445B01",
}
_COLUMNS = (
    "number_class,called_prefix,origin_prefix,currency,connect_fee,per_minute,first_s,next_s,"
    "grace_ms,description"
)


def numbers_file(folder: Path) -> Path:
    """The list of numbers that ships, and a toll-free one in Paris."""
    path = folder / "numbers.yaml"
    path.write_text(
        (ROOT / "bridge" / "dialin_numbers.yaml").read_text(encoding="utf-8")
        + f"""
  - id: fr-toll-free
    number: "{TOLL_FREE}"
    country: FR
    language: fr
    city: {{en: France (toll-free), fr: France (appel gratuit)}}
    display: "0 800 912 345"
    number_class: tollfree
    as_published: true
""",
        encoding="utf-8",
    )
    return path


class ProvidersBooks:
    """What the test provider has written down, read from its file."""

    psp = "test"

    def __init__(self, product: Product) -> None:
        self._path = product.folder / "data" / "test_payments.db"

    def lines(self) -> list[dict[str, Any]]:
        books = Books(self._path)
        try:
            return books.find("transaction")
        finally:
            books.close()

    def hurry(self) -> None:
        """Messages that wait for their time, or for another try, go out now."""
        books = Books(self._path)
        try:
            for hook in books.due_hooks(float("inf")):
                books.postpone(hook.row, due_s=0.0)
        finally:
            books.close()

    def list_transactions(self, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        for line in self.lines():
            at = datetime.fromtimestamp(line["at"], UTC)
            if since <= at < until:
                yield ProviderTransaction(
                    ref=line["id"],
                    kind=line["kind"],
                    payment=line["payment"] or line["id"],
                    amount=Money(line["amount"], line["currency"]),
                    fee=Money(line["fee"], line["currency"]),
                    at=at,
                )


class Till:
    """See the module text."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._engine = create_engine(product.database_url)
        self._sessions = make_sessions(self._engine)
        self.provider = ProvidersBooks(product)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def database(self) -> Iterator[Session]:
        """A transaction in the product's database."""
        with self._sessions.begin() as session:
            yield session

    # Before anybody calls.

    def price(self, *, per_minute: str, first_s: int = 60, next_s: int = 60) -> None:
        """Toll-free calls cost so much from now on, calls to city numbers nothing."""
        file = self.product.folder / "rates.csv"
        rows = [
            _COLUMNS,
            f"tollfree,+33,,EUR,0,{per_minute},{first_s},{next_s},0,toll-free",
            "city,+33,,EUR,0,0,60,60,0,city",
        ]
        file.write_text("\n".join(rows) + "\n", encoding="utf-8")
        self.product.command(
            "rates", "import", str(file), "--name", "test", "--from", "2020-01-01T00:00:00", "--activate"
        )

    def customer(self, *, country: str = "NL", exposure: int = 0) -> None:
        """The organiser's bill goes to a person in `country`."""
        with self.database() as session:
            account = session.scalars(select(Account).order_by(Account.id)).first()
            assert account is not None
            wanted = profile.Profile(
                account_id=account.id,
                country=country,
                legal_name="Ada Organiser",
                address_line1="Damrak 2",
                postal_code="1012 LG",
                city="Amsterdam",
                exposure_limit=exposure,
            )
            profile.save(session, wanted, now=now_utc())

    def top_up(
        self, amount: str, *, card: str = "good", save_card: bool = True, hooks: str = "once"
    ) -> dict[str, Any]:
        """Pay in; the top-up once it is paid."""
        made = self.ask_top_up(amount, save_card=save_card)
        assert made.status_code == 201, made.text
        self.pay(made.json(), card=card, hooks=hooks)
        return self.paid(made.json()["id"])

    def ask_top_up(
        self,
        amount: str,
        *,
        key: str | None = None,
        save_card: bool = True,
        fields: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return httpx.post(
            f"{self.product.url}/v1/billing/top_ups",
            headers={
                "X-Api-Key": self.product.api_key,
                "Idempotency-Key": key or f"test-{secrets.token_hex(12)}",
            },
            json={"amount": amount, "save_card": save_card, **(fields or {})},
        )

    def pay(
        self, top_up: dict[str, Any], *, card: str = "good", hooks: str = "once", outcome: str = "pay"
    ) -> httpx.Response:
        """What a payer does at the provider's page."""
        return httpx.post(top_up["url"], data={"outcome": outcome, "card": card, "hooks": hooks})

    def paid(self, public_id: str) -> dict[str, Any]:
        """Wait until the product knows that it was paid: the provider's message tells it."""
        found: dict[str, Any] = self.product.wait_for(
            lambda: (t := self.get(f"top_ups/{public_id}"))["state"] == "paid" and t, "a paid top-up"
        )
        return found

    # Afterwards.

    def quarter_of_an_hour_later(self) -> None:
        """Sessions that have ended were over 16 minutes earlier, and what waited for that is due."""
        with self.database() as session:
            for run in session.scalars(select(EventSession).where(EventSession.ended_at.is_not(None))):
                assert run.ended_at is not None
                run.ended_at -= LATE + timedelta(minutes=1)
            for work in session.scalars(select(UsageWork).where(UsageWork.due_at.is_not(None))):
                work.due_at = now_utc() - timedelta(seconds=1)

    def get(self, path: str, **query: Any) -> Any:
        """An answer of the billing API."""
        return self.product.get(f"/v1/billing/{path}", params=query)

    def transactions(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What changed the balance, newest first."""
        return list(self.get("transactions", **({} if kind is None else {"type": kind}))["transactions"])

    def kinds(self) -> Counter[str]:
        """How many transactions of each type there are."""
        return Counter(row["type"] for row in self.transactions())

    def rated(self, *records: dict[str, Any]) -> None:
        """Wait until these call records have a price."""
        wanted = {record["id"] for record in records}

        def have() -> bool:
            return wanted <= {r["id"] for r in self.get("cdr")["records"] if r["cost"] is not None}

        self.product.wait_for(have, "prices", within_s=15)

    def agrees(self) -> None:
        """Both commands say that the books are right; so do those of the provider."""
        for words in (("billing", "trial-balance"), ("billing", "reconcile")):
            try:
                self.product.command(*words)
            except subprocess.CalledProcessError as failed:
                raise AssertionError(f"{words}: {failed.stdout}{failed.stderr}") from None
        assert self.mismatches() == []

    def mismatches(self) -> list[Mismatch]:
        """What does not agree, once nothing can be excused with being on its way; the provider included."""
        with self.database() as session:
            return reconciliation.reconcile(
                session,
                calls=CdrCalls(),
                now=now_utc() + timedelta(hours=3),
                since=None,
                providers=[self.provider],
                legs=OpenCalls(),
            )
