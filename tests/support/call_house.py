"""A house full of calls: accounts, events, sessions, records, a price list, prices and charges; one seed.

For tests of billing pages, and for looking at them: 20,000 calls take a few seconds on SQLite. Amounts that
cards are to pay are queued; no provider is asked.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import deck_shelf, ledger, profile
from billing.deck_shelf import DeckShelf
from billing.decks import DeckTerms, Rate
from billing.invoices.seller import SellerDetails
from billing.invoices.vat import taxes
from billing.money import Money
from billing.payments import charges
from billing.payments.cashier import Cashier
from billing.payments.gateway import PaymentGateway
from billing.payments.hooks import HookDesk
from billing.rating_book import RatingBook
from billing.usage import UsageBook
from billing.usage_runner import UsageRunner
from bridge.cdr.billable import CdrCalls
from bridge.cdr.models import Cdr
from events.fields import parse_wishes
from events.models import EventSession
from events.service import create_event
from web.billing_parts import BillingParts

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SELLER = SellerDetails(
    name="Tollbridge B.V.", address=("Kade 1", "1011 AA Amsterdam"), country="NL",
    vat_number="NL820646660B01",
)  # fmt: skip
CUSTOMERS = (
    ("webinars@acme.example", "Acme Webinars Ltd", "Europe/London", "GB"),
    ("formation@lumiere.example", "Lumière Formation SARL", "Europe/Paris", "FR"),
    ("town@halle.example", "Stadt Halle", "Europe/Berlin", "DE"),
)
EVENTS = ("Quarterly results", "Product <b>launch</b>", "Réunion d’équipe", "Town hall", "Onboarding")
NUMBERS = (
    ("+33975129519", "city", 3), ("+442035142063", "city", 3), ("+13127021380", "city", 2),
    ("+33805080123", "tollfree", 4), ("+448081641234", "tollfree", 3), ("+18557029876", "tollfree", 2),
    ("+4980012345", "tollfree", 1),
)  # fmt: skip
ENDS = (
    ("caller-hung-up", "success", "caller", 16, 85), ("event-ended", "success", "bridge", 16, 10),
    ("kicked", "success", "bridge", 16, 1), ("media-timeout", "network_error", "unknown", 102, 3),
    ("node-crash", "server_error", "unknown", 41, 1),
)  # fmt: skip


@dataclass
class House:
    """What `fill` made."""

    accounts: list[int] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    sessions: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    deck: int = 0


def parts_of(
    sessions: sessionmaker[Session], gateways: Sequence[PaymentGateway] = (), url: str = "http://testserver"
) -> BillingParts:
    """The parts of billing that pages use."""
    cashier = Cashier(sessions, gateways, public_url=url)
    hooks = HookDesk(sessions, cashier.gateway, lambda _session, _notice: None)
    return BillingParts(cashier=cashier, hooks=hooks, decks=DeckShelf(), calls=CdrCalls(), seller=SELLER)


def rates(per_minute_u: int = 50_000) -> list[Rate]:
    """City numbers are free; toll-free numbers of three countries cost, Germany's have no rate."""
    block = {"first_s": 60, "next_s": 60}
    return [
        Rate(number_class="city", called_prefix="", per_minute_u=0, **block),
        Rate(number_class="tollfree", called_prefix="33", per_minute_u=per_minute_u, **block),
        Rate(
            number_class="tollfree", called_prefix="44", per_minute_u=36_000, connect_fee_u=20_000,
            first_s=30, next_s=6,
        ),
        Rate(number_class="tollfree", called_prefix="1", per_minute_u=13_700, first_s=1, next_s=1),
    ]  # fmt: skip


def fill(
    sessions: sessionmaker[Session], *, calls: int = 60, days: int = 30, now: datetime = NOW, seed: int = 1
) -> House:
    """So many calls within the `days` before `now`; sessions that are over are charged."""
    luck = random.Random(seed)
    house = House()
    with sessions.begin() as session:
        for email, name, zone, country in CUSTOMERS:
            account_id = create_account(session, email=email, now=now).account.id
            house.accounts.append(account_id)
            who = profile.Profile(
                account_id=account_id, country=country, legal_name=name, address_line1="Street 1",
                city="Town", postal_code="12345", timezone=zone, exposure_limit=50_000,
            )  # fmt: skip
            profile.save(session, who, now=now)
            money = Money(luck.randrange(2_000, 60_000), "EUR")
            ledger.top_up(
                session, account_id, money, psp="test", payment_ref=f"p{account_id}",
                at=now - timedelta(days=days),
            )  # fmt: skip
        begin = now - timedelta(days=400)
        terms = DeckTerms(name="Standard", currency="EUR", valid_from=begin)
        deck = deck_shelf.add_draft(
            session, terms, rates(), source="standard-2026.csv", by="user:1", now=begin
        )
        deck_shelf.activate(session, deck.id, by="user:1", now=begin)
        house.deck = deck.id
        for number, name in enumerate(EVENTS):
            wishes = parse_wishes({"name": name, "starts_at": f"2036-05-{number + 1:02d}T10:00"})
            account_id = house.accounts[number % len(house.accounts)]
            house.events.append(create_event(session, account_id=account_id, wishes=wishes, now=now).id)
        rows = _runs(session, house, luck, calls, days, now)
        for place in range(0, len(rows), 1000):
            session.execute(insert(Cdr), rows[place : place + 1000])
        house.calls = [row["id"] for row in rows]
    _charge(sessions, house, now, days)
    return house


def _runs(
    session: Session, house: House, luck: random.Random, calls: int, days: int, now: datetime
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while len(rows) < calls:
        place = len(house.sessions)
        event, account_id = house.events[place % 5], house.accounts[place % 5 % len(house.accounts)]
        day = now.replace(minute=0) - timedelta(days=luck.randrange(1, days + 1) if place else 1)
        start = day.replace(hour=luck.choice((8, 9, 9, 10, 13, 14, 14, 15, 18)))
        crowd = min(calls - len(rows), max(3, int(luck.lognormvariate(3.6, 0.8))))
        run = EventSession(
            id=9_000_000_001 + place, event_id=event, node_id="node-1", started_at=start,
            last_seen_at=start + timedelta(hours=1), ended_at=start + timedelta(hours=1),
            total_visitors=crowd, max_visitors=max(1, crowd * 2 // 3),
        )  # fmt: skip
        session.add(run)
        house.sessions.append(run.id)
        rows += [_call(luck, len(rows) + n, run.id, account_id, start) for n in range(crowd)]
    return rows


def _call(luck: random.Random, number: int, run: int, account_id: int, start: datetime) -> dict[str, Any]:
    called, number_class, _ = luck.choices(NUMBERS, [weight for *_, weight in NUMBERS])[0]
    slug, disposition, party, q850, _ = luck.choices(ENDS, [weight for *_, weight in ENDS])[0]
    setup = start + timedelta(milliseconds=luck.randrange(0, 1_500_000))
    answered = luck.random() > 0.04
    conn_ms = min(int(luck.lognormvariate(14.2, 1.1)), 5 * 3_600_000) if answered else None
    answer = setup + timedelta(milliseconds=1200) if answered else None
    mos = round(max(1.0, min(4.4, luck.gauss(4.15, 0.35))), 2) if answered else None
    end = setup + timedelta(seconds=2) if conn_ms is None else setup + timedelta(milliseconds=1200 + conn_ms)
    join = None if answer is None else min(end, answer + timedelta(seconds=9))
    anonymous = luck.random() < 0.05
    caller = f"+33{luck.choice('167')}{luck.randrange(10**7, 10**8)}"
    if conn_ms is None:
        slug, disposition, party, q850 = "caller-cancelled", "success", "caller", 16
    return {
        "id": f"01930000-0000-7000-8000-{number:012d}", "source": "sip", "source_call_id": f"call-{number}",
        "leg": "1", "session_id": str(run), "participant_id": f"p{number * 9 // 10}",
        "account_id": account_id, "direction": "in", "channel": luck.choice(("sip", "sip", "twilio")),
        "caller_e164": None if anonymous else caller,
        "caller_presentation": "anonymous" if anonymous else "allowed",
        "caller_raw": "" if anonymous else f'"=Ann <i>" <sip:{caller}@carrier>', "called_e164": called,
        "number_class": number_class, "trunk_id": "carrier-1", "src_ip": "192.0.2.7", "setup_at": setup,
        "ring_at": setup + timedelta(milliseconds=90), "answer_at": answer, "join_at": join,
        "leave_at": None if join is None else end, "end_at": end, "setup_ms": 1200, "conn_ms": conn_ms,
        "conf_ms": None if join is None else (end - join) // timedelta(milliseconds=1),
        "end_basis": {"media-timeout": "media_timeout", "node-crash": "node_crash"}.get(slug, "bye"),
        "sip_status": 487 if conn_ms is None else 200, "q850": q850, "cause_source": "reason",
        "hangup_party": party, "disposition": disposition, "reason_slug": slug,
        "codec": luck.choice(("PCMA", "PCMU", "G722")), "ptime_ms": 20,
        "rx_pkts": (conn_ms or 0) // 20, "tx_pkts": (conn_ms or 0) // 20, "lost_pkts": 3,
        "loss_pct": None if mos is None else round(max(0.0, 4.4 - mos), 2), "burst_r": 1.0,
        "jitter_avg_ms": 4.2, "jitter_max_ms": 21.0, "rtt_ms": 48.0,
        "r_factor": None if mos is None else round(mos * 20, 1), "mos_cq": mos, "mos_algo": "G.107",
        "pin_result": "ok" if join else None, "pin_attempts": 1 if join else 0, "billable": answered,
        "nonbillable_reason": None if answered else "not-answered", "node_id": "node-1",
        "sw_version": "1.0.0", "ingest_at": end + timedelta(seconds=1),
    }  # fmt: skip


def _charge(sessions: sessionmaker[Session], house: House, now: datetime, days: int) -> None:
    book = RatingBook(CdrCalls(), on_priced=UsageRunner.priced)
    usage = UsageBook(taxes=taxes(SELLER), shortfalls=charges.request_charge)
    since = now - timedelta(days=days + 2)
    while True:
        with sessions.begin() as session:
            done = book.rate_new(session, since=since, now=now, limit=2000)
        if done.rated + done.unrated == 0:
            break
    runner = UsageRunner(sessions, book, usage)
    for _ in range(1 + len(house.sessions) // 100):
        runner.run(now)
