"""Twilio Elastic SIP Trunking: calls that Twilio brings as plain SIP, and the networks they come from."""

from __future__ import annotations

from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("trunk_addresses.yaml")


def signalling_networks() -> tuple[str, ...]:
    """The networks in trunk_addresses.yaml, as `a.b.c.d/n`."""
    return tuple(yaml.safe_load(_FILE.read_text(encoding="utf-8"))["signalling"])
