"""Whose call is it: a trunk by the address its packets come from.

The most specific network wins, so that one host inside a provider's range can be a trunk of its own.
"""

from __future__ import annotations

import ipaddress

from bridge.sip.config import IpNetwork, Trunk


class TrunkTable:
    """Trunks by source network."""

    def __init__(self, trunks: tuple[Trunk, ...]) -> None:
        entries: list[tuple[IpNetwork, Trunk]] = [
            (network, trunk) for trunk in trunks for network in trunk.sources
        ]
        self._entries = sorted(entries, key=lambda entry: entry[0].prefixlen, reverse=True)
        self.trunks = trunks

    def by_source(self, address: str) -> Trunk | None:
        """The trunk whose networks hold the address; None for strangers and for texts that are no address."""
        try:
            ip = ipaddress.ip_address(address.strip("[]").partition("%")[0])
        except ValueError:
            return None
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        for network, trunk in self._entries:
            if ip.version == network.version and ip in network:
                return trunk
        return None

    def by_user(self, user: str) -> Trunk | None:
        """The trunk with these digest credentials."""
        return next((trunk for trunk in self.trunks if trunk.user == user), None)

    @property
    def digest(self) -> bool:
        """Whether any trunk may come in by digest."""
        return any(trunk.user is not None for trunk in self.trunks)


def split_source(address: str) -> tuple[str, int]:
    """`192.0.2.1:5060` or `[2001:db8::1]:5060` as (address, port); port 0 when there is none."""
    host, colon, port = address.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return address.strip("[]"), 0
    return host.strip("[]"), int(port) if port.isascii() and port.isdigit() else 0
