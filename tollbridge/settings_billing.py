"""Settings of billing: who sells, who takes payments."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, SecretStr, field_validator

from billing.money import known_currency


class BillingSettings(BaseModel):
    """Part of `tollbridge.settings.Settings`."""

    currency: str = Field(
        default="EUR", description="Currency of accounts that have not chosen one (ISO 4217)."
    )
    seller_name: str = Field(
        default="",
        description="Name of the operator, as invoices must show it. Without name, address and country no "
        "invoice is issued.",
    )
    seller_address: tuple[str, ...] = Field(
        default=(), description="Postal address of the operator, its lines separated by `;`."
    )
    seller_country: str = Field(
        default="", pattern=r"^([A-Z]{2})?$", description="Country of the operator (ISO 3166, two letters)."
    )
    seller_vat_number: str = Field(
        default="", description="VAT number of the operator; without it no tax is charged."
    )
    seller_registration: str = Field(
        default="", description="Further line of invoices: register, court, capital."
    )
    seller_email: str = Field(default="", description="Mail address on invoices.")
    seller_timezone: str = Field(
        default="UTC", description="Time zone in which months and years of invoices begin."
    )
    invoice_prefix: str = Field(default="", description="What stands before invoice numbers.")

    stripe_secret_key: SecretStr | None = Field(
        default=None, min_length=1, description="Secret key of a Stripe account: cards are taken by Stripe."
    )
    stripe_webhook_secret: SecretStr | None = Field(
        default=None, min_length=1, description="Signing secret of the Stripe web hook."
    )
    stripe_api_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s]+$", description="Where Stripe's API is reached, if elsewhere."
    )
    paypal_client_id: str | None = Field(
        default=None, min_length=1, description="Client id of a PayPal app: PayPal is offered for top-ups."
    )
    paypal_secret: SecretStr | None = Field(
        default=None, min_length=1, description="Secret of the PayPal app."
    )
    paypal_webhook_id: str | None = Field(
        default=None,
        min_length=1,
        description="Id of the PayPal web hook, with which its messages are checked.",
    )
    paypal_api_url: str = Field(
        default="https://api-m.paypal.com",
        pattern=r"^https?://[^\s]+$",
        description="Where PayPal's API is reached; `https://api-m.sandbox.paypal.com` for trials.",
    )
    vies_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="Where VIES, the check of VAT numbers, is reached, if elsewhere.",
    )
    sandbox_port: int = Field(
        default=8090,
        ge=0,
        le=65535,
        description="TCP port of the test payment provider, which runs while no real one is set up and moves "
        "no money; 0 takes a free one.",
    )
    sample_rates: bool = Field(
        default=True,
        description="Whether a database without any rates gets the sample deck, which is marked as a sample.",
    )

    @property
    def takes_payments(self) -> bool:
        """Whether a real payment provider is set up."""
        return self.stripe_secret_key is not None or self.paypal_client_id is not None

    @field_validator("currency")
    @classmethod
    def _currency(cls, value: str) -> str:
        known_currency(value)
        return value

    @field_validator("seller_timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is not a time zone") from None
        return value

    @field_validator("seller_address", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(line.strip() for line in value.split(";") if line.strip())
        return value
