"""VIES: is a VAT number of the European Union in force?

The Commission's service passes the question on to the member state, which is often away; therefore the answer
has three values, and "unknown" is asked again, after a minute first and after a day at last. Valid numbers
are asked about once a month, because they end. With the seller's own number in the question the answer
carries a consultation number, the proof that we asked.

`VatChecker.run_once` belongs to the same thread as payments: it asks between transactions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from billing.invoices.errors import ViesAwayError
from billing.invoices.models import VatCheck
from billing.invoices.vat_rates import EU
from billing.profile import BillingProfile

LIVE_URL = "https://ec.europa.eu/taxation_customs/vies/rest-api"
RETRY = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 240, 1440))
RECHECK = timedelta(days=30)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViesAnswer:
    """A clear answer of VIES."""

    valid: bool
    name: str = ""
    consultation: str = ""


class ViesClient:
    """Asks VIES. `requester` is the seller's own VAT number, or empty."""

    def __init__(self, *, requester: str = "", base_url: str = LIVE_URL, timeout_s: float = 15.0) -> None:
        self._requester = requester
        self._client = httpx.Client(base_url=base_url, timeout=timeout_s)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def check(self, vat_number: str) -> ViesAnswer:
        """Whether the number (its country's letters in front) is in force. Raises ViesAwayError."""
        body = {"countryCode": vat_number[:2], "vatNumber": vat_number[2:]}
        if self._requester:
            body |= {
                "requesterMemberStateCode": self._requester[:2],
                "requesterNumber": self._requester[2:],
            }
        try:
            answer = self._client.post("/check-vat-number", json=body)
            found: Any = answer.json()
        except (httpx.HTTPError, ValueError) as exc:
            raise ViesAwayError(type(exc).__name__) from exc
        if not isinstance(found, dict):
            raise ViesAwayError("unreadable")
        faults = [str(fault.get("error", "")) for fault in found.get("errorWrappers") or []]
        if "INVALID_INPUT" in faults:
            return ViesAnswer(valid=False)
        if faults or not answer.is_success or not isinstance(found.get("valid"), bool):
            raise ViesAwayError(faults[0] if faults else f"HTTP {answer.status_code}")
        if found.get("userError", "VALID") not in ("VALID", "INVALID", ""):
            raise ViesAwayError(str(found["userError"]))
        return ViesAnswer(
            valid=found["valid"],
            name=str(found.get("name") or "")[:255],
            consultation=str(found.get("requestIdentifier") or "")[:64],
        )


class VatChecker:
    """Keeps what we know of VAT numbers up to date."""

    def __init__(self, sessions: sessionmaker[Session], client: ViesClient) -> None:
        self._sessions = sessions
        self._client = client

    def run_once(self, now: datetime, *, limit: int = 20) -> Counter[str]:
        """Ask about numbers that are new or due; returns how many were valid, invalid and unknown."""
        done: Counter[str] = Counter()
        with self._sessions.begin() as session:
            _note_new(session, now=now)
            query = select(VatCheck).where(VatCheck.next_try_at <= now).order_by(VatCheck.next_try_at)
            due = [(row.id, row.vat_number) for row in session.scalars(query.limit(limit))]
        for check_id, vat_number in due:
            answer, fault = None, ""
            try:
                answer = self._client.check(vat_number)
            except ViesAwayError as exc:
                fault = str(exc)[:64]
            with self._sessions.begin() as session:
                done[_record(session, check_id, answer, fault=fault, now=now)] += 1
        return done


def _note_new(session: Session, *, now: datetime) -> None:
    """A row for each business of the European Union whose number was never asked about."""
    query = select(BillingProfile).where(
        BillingProfile.business, BillingProfile.vat_number != "", BillingProfile.country.in_(sorted(EU))
    )
    asked = select(VatCheck.id).where(
        VatCheck.account_id == BillingProfile.account_id, VatCheck.vat_number == BillingProfile.vat_number
    )
    for row in session.scalars(query.where(~asked.exists())):
        session.add(VatCheck(
            account_id=row.account_id, vat_number=row.vat_number, state="unknown", name="", consultation="",
            fault="", tries=0, next_try_at=now,
        ))  # fmt: skip
    session.flush()


def _record(session: Session, check_id: int, answer: ViesAnswer | None, *, fault: str, now: datetime) -> str:
    row = session.get_one(VatCheck, check_id, with_for_update=True, populate_existing=True)
    row.asked_at = now
    if answer is None:
        row.fault, row.next_try_at = fault, now + RETRY[min(row.tries, len(RETRY) - 1)]
        row.tries += 1
        _log.warning("vies_unknown", vat_check=check_id, fault=fault, tries=row.tries)
        return "unknown"
    row.state = "valid" if answer.valid else "invalid"
    row.name, row.consultation, row.fault = answer.name, answer.consultation, ""
    row.answered_at, row.tries, row.next_try_at = now, 0, now + RECHECK
    return row.state
