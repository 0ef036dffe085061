"""What every page about money needs: whose it is, their currency and time zone, and whether money is real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from accounts.sign_in import Visitor
from billing import profile
from billing.profile import Profile
from web.access import AllServices
from web.billing_parts import BillingParts, Parts
from web.services import Services
from web.site.billing.shown import Shown
from web.site.i18n import N_, language_of, texts
from web.site.render import render
from web.site.security import SignedIn

TABS = (
    ("/billing", N_("Overview")),
    ("/billing/transactions", N_("Transactions")),
    ("/billing/invoices", N_("Invoices")),
    ("/billing/cards", N_("Cards")),
    ("/billing/profile", N_("Billing details")),
    ("/billing/estimate", N_("Calculator")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Who reads a page of billing, and how. `payer` is the account's profile."""

    request: Request
    visitor: Visitor
    services: Services
    parts: BillingParts
    payer: Profile
    show: Shown

    @property
    def account_id(self) -> int:
        return self.visitor.account_id

    @property
    def currency(self) -> str:
        return self.payer.currency

    @property
    def test_money(self) -> bool:
        """Whether what is paid here is play money."""
        return any(gateway.capabilities.test_money for gateway in self.parts.cashier.gateways)

    def say(self, text: str) -> str:
        """A text marked with `N_` in the page's language."""
        return texts(self.show.language).gettext(text)

    def page(
        self, template: str, context: Mapping[str, object], *, tab: str = "", status: int = 200
    ) -> Response:
        """The page, below the tabs."""
        common = {
            "tabs": TABS, "tab": tab, "show": self.show, "currency": self.currency,
            "test_money": self.test_money,
        }  # fmt: skip
        return render(self.request, template, {**common, **context}, status=status)


def get_frame(request: Request, visitor: SignedIn, services: AllServices, parts: Parts) -> Frame:
    with services.readers() as session:
        payer = profile.get(session, visitor.account_id, currency=parts.currency)
    return Frame(
        request=request,
        visitor=visitor,
        services=services,
        parts=parts,
        payer=payer,
        show=Shown(language=language_of(request), zone=zone_of(payer, visitor)),
    )


def zone_of(payer: Profile, visitor: Visitor) -> str:
    """The account's time zone; the reader's own while nobody has chosen one for the account."""
    return payer.timezone if payer.timezone != "UTC" else visitor.timezone


Framed = Annotated[Frame, Depends(get_frame)]
