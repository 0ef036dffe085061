"""Who is billed: currency, country, tax number and address of each account.

An account that was never asked has a profile of defaults (`stored` is False): it can be rated and may top up,
but gets no invoice before its owner has given a name and an address. The first payment writes the defaults
down, for the currency of a ledger must not change under the money in it: from then on another currency is
refused.

A VAT number begins with its country's letters (Council Directive 2006/112/EC, article 215; Greece writes EL)
and is kept without spaces. Whether it is in force is asked of VIES, see `billing.invoices`.

    ProfileError
    ├── BadProfileError      some fields cannot be accepted, each with a sentence: the caller's fault
    └── CurrencyFixedError   there is money in another currency already: the caller's fault
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.numbers import list_currencies
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from billing.errors import BillingError
from database.base import Base
from database.types import UtcDateTime

DEFAULT_CURRENCY = "EUR"
LOCALES = ("en", "fr")
EXPOSURE_MAX = 10**12
_LINE_MAX = 120
_VAT_PREFIX = {"GR": "EL"}
"""Countries whose VAT numbers begin with other letters than their ISO code."""

_TERRITORIES = frozenset(
    str(code) for code in Locale("en").territories if re.fullmatch("[A-Z]{2}", str(code))
)
_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ", "UK"})
COUNTRIES = frozenset(_TERRITORIES - _NO_COUNTRIES)
"""ISO 3166-1 codes (and XK, Kosovo) as babel knows them."""


class ProfileError(BillingError):
    """Parent of the errors of this module."""


class BadProfileError(ProfileError):
    """Fields that cannot be accepted; `problems` are (field, sentence) pairs."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in problems))
        self.problems = problems


class CurrencyFixedError(ProfileError):
    """The account has a ledger in one currency and cannot change to another."""


class BillingProfile(Base):
    """The stored profile of an account. Texts are empty, not null, when nothing was given."""

    __tablename__ = "billing_profile"
    __table_args__ = (CheckConstraint("exposure_limit >= 0", name="exposure_limit"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3))
    country: Mapped[str] = mapped_column(String(2))
    business: Mapped[bool]
    vat_number: Mapped[str] = mapped_column(String(20))
    legal_name: Mapped[str] = mapped_column(String(_LINE_MAX))
    address_line1: Mapped[str] = mapped_column(String(_LINE_MAX))
    address_line2: Mapped[str] = mapped_column(String(_LINE_MAX))
    postal_code: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(_LINE_MAX))
    timezone: Mapped[str] = mapped_column(String(64))
    locale: Mapped[str] = mapped_column(String(8))
    exposure_limit: Mapped[int] = mapped_column(BigInteger)
    currency_fixed: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What billing knows of an account.

    `country` is ISO 3166-1 alpha-2 or empty; `vat_number` has its country's letters in front, or is empty;
    `exposure_limit` is in minor units of `currency`: how far a session may run past the wallet because a card
    is on file. `stored` tells given facts from defaults.
    """

    account_id: int
    currency: str = DEFAULT_CURRENCY
    country: str = ""
    business: bool = False
    vat_number: str = ""
    legal_name: str = ""
    address_line1: str = ""
    address_line2: str = ""
    postal_code: str = ""
    city: str = ""
    timezone: str = "UTC"
    locale: str = "en"
    exposure_limit: int = 0
    stored: bool = False

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def can_be_invoiced(self) -> bool:
        """Whether name, address and country are there, which an invoice must show."""
        return all((self.legal_name, self.address_line1, self.city, self.country))

    @property
    def address(self) -> tuple[str, ...]:
        """The lines of the address, without the country."""
        town = f"{self.postal_code} {self.city}".strip()
        return tuple(line for line in (self.address_line1, self.address_line2, town) if line)


_FIELDS = (
    "currency", "country", "business", "vat_number", "legal_name", "address_line1", "address_line2",
    "postal_code", "city", "timezone", "locale", "exposure_limit",
)  # fmt: skip


def get(session: Session, account_id: int, *, currency: str = DEFAULT_CURRENCY) -> Profile:
    """The profile of an account; defaults, in `currency`, when none was stored."""
    row = session.get(BillingProfile, account_id)
    if row is None:
        return Profile(account_id=account_id, currency=currency)
    return Profile(account_id=account_id, stored=True, **{name: getattr(row, name) for name in _FIELDS})


def save(session: Session, profile: Profile, *, now: datetime) -> Profile:
    """Store a profile and return it as stored, numbers in normal form.

    Raises BadProfileError with every field at fault, and CurrencyFixedError when the account has money in
    another currency.
    """
    clean = check(profile)
    row = session.get(BillingProfile, profile.account_id)
    if row is None:
        row = BillingProfile(account_id=profile.account_id, currency_fixed=False, created_at=now)
        row.currency = clean.currency
        session.add(row)
    if row.currency_fixed and row.currency != clean.currency:
        raise CurrencyFixedError(f"this account has money in {row.currency}; its currency cannot change")
    for name in _FIELDS:
        setattr(row, name, getattr(clean, name))
    row.updated_at = now
    session.flush()
    return replace(clean, stored=True)


def fix_currency(
    session: Session, account_id: int, *, now: datetime, currency: str = DEFAULT_CURRENCY
) -> Profile:
    """The profile of an account whose first money is about to be posted: its currency is final now."""
    if session.get(BillingProfile, account_id) is None:
        try:
            with session.begin_nested():
                save(session, Profile(account_id=account_id, currency=currency), now=now)
        except IntegrityError:
            pass  # somebody else stored one at this moment
    row = session.get_one(BillingProfile, account_id, with_for_update=True)
    row.currency_fixed = True
    session.flush()
    return get(session, account_id)


def check(profile: Profile) -> Profile:
    """`profile` in normal form: trimmed, upper-case codes, a compact VAT number. Raises BadProfileError."""
    problems: list[tuple[str, str]] = []
    lines = {
        name: " ".join(getattr(profile, name).split())
        for name in ("legal_name", "address_line1", "address_line2", "postal_code", "city")
    }
    for name, text in lines.items():
        most = 20 if name == "postal_code" else _LINE_MAX
        if len(text) > most:
            problems.append((name, f"at most {most} characters"))
        elif not text.isprintable():
            problems.append((name, "letters, digits and signs only"))
    currency, country = profile.currency.strip().upper(), profile.country.strip().upper()
    if currency not in list_currencies():
        problems.append(("currency", "a code of three letters as in ISO 4217, such as EUR"))
    if country and country not in COUNTRIES:
        problems.append(("country", "a code of two letters as in ISO 3166, such as FR"))
    if profile.timezone not in available_timezones():
        problems.append(("timezone", "a name such as Europe/Paris"))
    if profile.locale not in LOCALES:
        problems.append(("locale", f"one of {', '.join(LOCALES)}"))
    if not 0 <= profile.exposure_limit <= EXPOSURE_MAX:
        problems.append(("exposure_limit", f"from 0 to {EXPOSURE_MAX}"))
    number = ""
    if profile.vat_number.strip():
        try:
            number = normal_vat_number(profile.vat_number, country=country)
        except ValueError as exc:
            problems.append(("vat_number", str(exc)))
    if problems:
        raise BadProfileError(problems)
    return replace(
        profile,
        currency=currency,
        country=country,
        vat_number=number,
        legal_name=lines["legal_name"],
        address_line1=lines["address_line1"],
        address_line2=lines["address_line2"],
        postal_code=lines["postal_code"],
        city=lines["city"],
    )


def normal_vat_number(text: str, *, country: str) -> str:
    """A VAT number without spaces, the letters of its country in front.

    Numbers of the European Union are checked by their check digits, others only for length and characters.
    Raises ValueError with a sentence.
    """
    compact = "".join(ch for ch in text.upper() if ch.isalnum())
    prefix = _VAT_PREFIX.get(country, country)
    if not compact.isascii() or not 4 <= len(compact) <= 18:
        raise ValueError("between 4 and 18 letters and digits")
    if not country:
        raise ValueError("say which country the number is from")
    if country.lower() not in vat.MEMBER_STATES:
        return compact
    if not compact[:2].isalpha():
        compact = prefix + compact
    if not compact.startswith(prefix):
        raise ValueError(f"a number of {country} begins with {prefix}")
    try:
        return str(vat.validate(compact))
    except ValidationError as exc:
        raise ValueError(f"this is no VAT number of {country}; check its digits") from exc
