"""Who issues the invoices."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerDetails:
    """The operator, as invoices must show it. Without a `vat_number` no tax is charged.

    `registration` is free text (register, court, capital), `number_prefix` stands before invoice numbers,
    `timezone` says when a day, and with it a year of numbers, begins.
    """

    name: str = ""
    address: tuple[str, ...] = ()
    country: str = ""
    vat_number: str = ""
    registration: str = ""
    email: str = ""
    number_prefix: str = ""
    timezone: str = "UTC"

    @property
    def complete(self) -> bool:
        """Whether an invoice can be issued."""
        return bool(self.name and self.address and self.country)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)
