"""What the SIP side is told: where to listen, whom to trust.

Trunks are the only way in. A trunk is recognised by where its packets come from, or by digest credentials;
the default configuration has one trunk, the machine itself.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum

from bridge.media import Codec
from bridge.sip.errors import SipConfigError

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Transport(StrEnum):
    """How SIP travels."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An outbound registration: we tell a provider where we are."""

    registrar: str
    """Host, or host:port, or a whole SIP URI."""
    user: str
    password: str = field(repr=False)
    expires_s: int = 300
    transport: Transport = Transport.UDP


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """One way by which calls may come in.

    Raises:
        SipConfigError: nothing by which its calls could be recognised.
    """

    name: str
    sources: tuple[IpNetwork, ...] = ()
    """Its packets come from here."""
    user: str | None = None
    """Digest user; a call from elsewhere is challenged and let in with these credentials."""
    password: str | None = field(default=None, repr=False)
    default_number: str | None = None
    """Taken as dialled when a call names no number of ours (a trunk for one number)."""
    country: str | None = None
    """ISO country, for numbers in national form."""
    register: Registration | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise SipConfigError("a trunk needs a name")
        if (self.user is None) != (self.password is None):
            raise SipConfigError(f"trunk {self.name}: user and password belong together")
        if not self.sources and self.user is None and self.register is None:
            raise SipConfigError(f"trunk {self.name}: give sources, or user and password")


LOOPBACK = Trunk(
    name="loopback",
    sources=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SipConfig:
    """Settings of the SIP side.

    Raises:
        SipConfigError: settings that contradict each other.
    """

    hosts: tuple[str, ...] = ("127.0.0.1",)
    """Addresses to listen on, IPv4 and IPv6."""
    port: int = 5060
    """UDP and TCP port; 0 takes any free one."""
    tls_port: int | None = None
    """TLS port; None is port + 1, or any free one when port is 0."""
    transports: tuple[Transport, ...] = (Transport.UDP, Transport.TCP)
    tls_certificate: str | None = None
    """PEM file; TLS is offered when it is given."""
    tls_key: str | None = None
    """PEM file of the certificate's key."""
    public_address: str | None = None
    """Address that Contact and Via name, when phones reach us by another than we listen on."""
    trunks: tuple[Trunk, ...] = (LOOPBACK,)
    realm: str = "tollbridge"
    """Realm of our digest challenges."""
    max_calls: int = 2000
    """Calls at once; more are answered 503 with Retry-After."""
    retry_after_s: int = 10
    """Seconds in the Retry-After of a refusal for lack of lines."""
    user_agent: str = "Tollbridge"
    session_expires_s: int = 1800
    """RFC 4028 Session-Expires that we ask for."""
    session_min_s: int = 90
    """RFC 4028 Min-SE; 90 is the least the RFC allows."""
    codecs: tuple[Codec, ...] = (Codec.G722, Codec.PCMA, Codec.PCMU)
    """What we speak, in the order of our own offers."""
    preferred_codecs: tuple[Codec, ...] = (Codec.G722,)
    """Taken before the order of a phone's offer is followed."""
    unknown_refusals_max: int = 5
    """Refusals per unknown source and minute before its refusals are delayed."""
    unknown_delay_s_max: float = 4.0
    """Longest delay of a refusal to an unknown source."""

    def __post_init__(self) -> None:
        if not self.hosts:
            raise SipConfigError("SIP needs at least one address to listen on")
        for host in self.hosts:
            try:
                ipaddress.ip_address(host)
            except ValueError as error:
                raise SipConfigError(f"SIP host {host!r} is not an IP address") from error
        if not 0 <= self.port <= 65535:
            raise SipConfigError(f"SIP port {self.port} is not a port")
        if self.tls_certificate is not None and self.tls_key is None:
            raise SipConfigError("TLS needs the certificate's key too")
        if not self.codecs or not set(self.preferred_codecs) <= set(self.codecs):
            raise SipConfigError("preferred codecs must be among the codecs")
        if self.session_min_s < 90 or self.session_expires_s < self.session_min_s:
            raise SipConfigError(
                "session timers: Min-SE is at least 90 s, and Session-Expires not below Min-SE"
            )
        if self.max_calls < 1:
            raise SipConfigError("max_calls must be at least 1")
        names = [trunk.name for trunk in self.trunks]
        if len(set(names)) != len(names):
            raise SipConfigError("two trunks have the same name")
        users = [trunk.user for trunk in self.trunks if trunk.user is not None]
        if len(set(users)) != len(users):
            raise SipConfigError("two trunks have the same digest user")
