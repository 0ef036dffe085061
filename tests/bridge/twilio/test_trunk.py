"""Elastic SIP Trunking is one word in a trunk's sources."""

from __future__ import annotations

import ipaddress

from bridge.twilio.trunk import signalling_networks
from tollbridge.trunk_settings import TrunkSettings


def test_twilio_stands_for_all_its_networks() -> None:
    trunk = TrunkSettings(name="carrier", sources=("twilio", "192.0.2.1"))  # type: ignore[arg-type]
    assert [str(network) for network in trunk.sources] == [*signalling_networks(), "192.0.2.1/32"]


def test_every_region_is_there_and_nothing_wide() -> None:
    networks = [ipaddress.ip_network(text) for text in signalling_networks()]
    assert len(networks) == len(set(networks)) == 8
    assert all(network.version == 4 and network.prefixlen >= 24 and network.is_global for network in networks)
