"""What settings must fit together. Each check returns sentences that say what is wrong and what to do."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tollbridge.settings import Settings

PAIRS_MIN = 2


def check_all(settings: Settings) -> list[str]:
    """All problems of these settings; empty when they can be used."""
    return [
        *_rtp_ports(settings),
        *_server_ports(settings),
        *_addresses(settings),
        *_tls(settings),
        *_trunks(settings),
        *_twilio(settings),
        *_folders(settings),
        *_payments(settings),
        *_events(settings),
    ]


def _events(settings: Settings) -> Iterator[str]:
    if settings.event_overtime_min < settings.event_grace_min:
        yield (
            f"event_overtime_min: {settings.event_overtime_min} is less than event_grace_min "
            f"{settings.event_grace_min}; people may stay longer than an empty room stays open, not shorter"
        )


def _rtp_ports(settings: Settings) -> Iterator[str]:
    first, last = settings.rtp_ports
    if not (first >= 1024 and last <= 65535):
        yield "rtp_ports: must lie between 1024 and 65535"
    elif first % 2 != 0 or last % 2 != 1:
        yield (
            "rtp_ports: must begin with an even and end with an odd port, such as "
            f"{first // 2 * 2}-{last // 2 * 2 + 1}"
        )
    elif (last - first + 1) // 2 < PAIRS_MIN:
        yield (
            f"rtp_ports: too few; give at least {2 * PAIRS_MIN} ports, such as "
            f"{first}-{min(first + 127, 65535)}"
        )
    for name in ("sip_port", "sip_tls_port"):
        if first <= getattr(settings, name) <= last:
            yield f"rtp_ports: {first}-{last} contains {name} {getattr(settings, name)}; move one of them"


def _server_ports(settings: Settings) -> Iterator[str]:
    tcp = {"http_port": settings.http_port, "sip_port": settings.sip_port}
    if not settings.takes_payments:
        tcp["sandbox_port"] = settings.sandbox_port
    if settings.tls_certificate is not None:
        tcp["sip_tls_port"] = settings.sip_tls_port
    for (one, port), (other, same) in combinations(tcp.items(), 2):
        if port == same != 0:
            yield f"{one} and {other} are both {port}; give each its own port"


def _addresses(settings: Settings) -> Iterator[str]:
    if not settings.sip_host:
        yield "sip_host: give at least one address, such as 127.0.0.1"
        return
    told = [ipaddress.ip_address(address) for address in settings.media_addresses]
    if any(address.is_unspecified for address in told):
        if settings.media_address:
            yield (
                "media_address: 0.0.0.0 and :: are no address that a caller can send sound to; "
                "name the real one"
            )
        else:
            yield (
                "media_address: needed because sip_host is 0.0.0.0 or ::; "
                "set it to the address at which callers reach this machine"
            )
    if settings.media_address:
        for version in (4, 6):
            if sum(address.version == version for address in told) > 1:
                yield f"media_address: give at most one IPv{version} address"
    binds = [ipaddress.ip_address(address) for address in settings.media_binds]
    for address in told:
        if not any(bind.version == address.version for bind in binds):
            yield (
                f"media_address: {address} is IPv{address.version}, but sound is received on "
                f"{', '.join(settings.media_binds)} only; set media_bind"
            )


def _tls(settings: Settings) -> Iterator[str]:
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        yield "tls_certificate and tls_key: give both files, or neither"
    for name in ("tls_certificate", "tls_key"):
        path = getattr(settings, name)
        if path is not None and not path.is_file():
            yield f"{name}: there is no file {path}"


def _trunks(settings: Settings) -> Iterator[str]:
    if not settings.trunks:
        yield "trunks: without a trunk nobody can call; leave the setting out to trust this machine alone"
    for one, other in combinations(settings.trunks, 2):
        if one.name == other.name:
            yield f"trunks: two are named {one.name}; give each its own name"
        shared = set(one.sources) & set(other.sources)
        if shared and one.digest_user == other.digest_user:
            yield (
                f"trunks: {one.name} and {other.name} both have {', '.join(sorted(map(str, shared)))}; "
                "a call from there could not be told apart"
            )


def _twilio(settings: Settings) -> Iterator[str]:
    if (settings.twilio_account_sid is None) != (settings.twilio_auth_token is None):
        yield "twilio_account_sid and twilio_auth_token: give both, or neither"
    elif settings.twilio_account_sid is not None:
        if settings.public_url is None:
            yield "public_url: needed for Twilio, which must reach us under https://"
        elif not settings.public_url.startswith("https:") and not _is_loopback(settings.public_url):
            yield "public_url: must begin with https://, because Twilio streams sound over wss:// only"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _folders(settings: Settings) -> Iterator[str]:
    if settings.data_dir.exists() and not settings.data_dir.is_dir():
        yield f"data_dir: {settings.data_dir} is a file; name a folder"
    if settings.numbers_file is not None and not settings.numbers_file.is_file():
        yield f"numbers_file: there is no file {settings.numbers_file}"
    if settings.prompts_dir is not None and not settings.prompts_dir.is_dir():
        yield f"prompts_dir: there is no folder {settings.prompts_dir}"


def _payments(settings: Settings) -> Iterator[str]:
    if (settings.stripe_secret_key is None) != (settings.stripe_webhook_secret is None):
        yield "stripe_secret_key and stripe_webhook_secret belong together; set both or none"
    paypal = (settings.paypal_client_id, settings.paypal_secret, settings.paypal_webhook_id)
    if any(paypal) and not all(paypal):
        yield "paypal_client_id, paypal_secret and paypal_webhook_id belong together; set all or none"
