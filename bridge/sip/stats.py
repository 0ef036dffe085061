"""Counters of the SIP side, for the metrics page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SipStats:
    """Written on the pjsua thread; reading one from elsewhere is safe, a snapshot is not atomic."""

    invites: int = 0
    refused: int = 0
    strangers: int = 0
    """Calls from sources that belong to no trunk."""
    answered: int = 0
    active: int = 0
    """Calls now up or ringing."""
    ended: int = 0
    challenges: int = 0
    keys: int = 0
    media_changes: int = 0
    late_commands: int = 0
    """Commands for calls that were over already."""
    failed_commands: int = 0
    callback_errors: int = 0
    pump_delay_ms_max: float = 0.0
    """Longest time the pump was busy between two looks at the network."""
