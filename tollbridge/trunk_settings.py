"""A trunk: a carrier or exchange that may send calls, told by where it calls from or by a password."""

from __future__ import annotations

import ipaddress
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from bridge.twilio.trunk import signalling_networks

TWILIO = "twilio"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RegistrationSettings(BaseModel):
    """Where we log in to be reachable, for carriers that want it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    registrar: str = Field(
        pattern=r"^sips?:[^\s@]+$", description="SIP address of the registrar, such as `sip:sip.example.com`."
    )
    user: str = Field(min_length=1, max_length=128, description="User name of the registration.")
    password: SecretStr = Field(description="Password of the registration.")
    expires_s: int = Field(
        default=300, ge=30, le=86_400, description="Seconds after which the registration is renewed."
    )


class TrunkSettings(BaseModel):
    """Who may send calls, and how its numbers are read."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Name of the trunk in call records.")
    sources: tuple[Network, ...] = Field(
        default=(),
        description="Addresses or networks (`192.0.2.0/28`) from which its calls come. "
        "`twilio` stands for all networks of Twilio Elastic SIP Trunking.",
    )
    digest_user: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="User name for digest authentication; needed when calls may come from anywhere.",
    )
    digest_password: SecretStr | None = Field(default=None, description="Password for digest authentication.")
    default_number: str | None = Field(
        default=None,
        pattern=r"^\+[1-9][0-9]{6,14}$",
        description="Dial-in number (E.164) taken as dialled when the call does not tell one.",
    )
    country: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{2}$",
        description="Country (ISO 3166) in whose national form the trunk writes numbers.",
    )
    register_at: RegistrationSettings | None = Field(
        default=None, alias="register", description="Registration at the carrier, when it wants one."
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _sources(cls, value: Any) -> Any:
        parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise ValueError("must be a list of addresses or networks")
        return tuple(network for part in parts for network in _networks(part))

    @model_validator(mode="after")
    def _can_be_recognised(self) -> TrunkSettings:
        if (self.digest_user is None) != (self.digest_password is None):
            raise ValueError(f"trunk {self.name}: give digest_user and digest_password, or neither")
        if not self.sources and self.digest_user is None:
            raise ValueError(
                f"trunk {self.name}: nobody could use it; give sources, or digest_user and digest_password"
            )
        if self.digest_user is None:
            for source in self.sources:
                if source.prefixlen < (8 if source.version == 4 else 16):
                    raise ValueError(
                        f"trunk {self.name}: {source} would let nearly everybody place calls; "
                        "name the carrier's own networks, or add digest_user and digest_password"
                    )
        return self


def _networks(value: Any) -> tuple[Network, ...]:
    if value == TWILIO:
        return tuple(_network(text) for text in signalling_networks())
    return (_network(value),)


def _network(value: Any) -> Network:
    try:
        return ipaddress.ip_network(value)
    except (ValueError, TypeError):
        raise ValueError(f"{value!r} is not an address or network such as 192.0.2.0/28") from None


def loopback_trunk() -> TrunkSettings:
    """The one trunk of the default settings: phones on this machine."""
    return TrunkSettings(name="loopback", sources=(_network("127.0.0.0/8"), _network("::1/128")))
