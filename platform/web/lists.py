"""Routes: small lists that everybody with a key may read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from events import skins
from events.schedule import countries, zone_names
from web import views
from web.access import AllServices, Caller, Reader
from web.errors import not_found
from web.openapi import errors_of
from web.schemas import GatewayEntry, Pong, Skin

router = APIRouter(prefix="/v1", tags=["lists"])


@router.get("/ping", summary="Are you there", responses=errors_of(401, 503))
def ping(_caller: Caller) -> Pong:
    """Answers when the service runs and the key is good."""
    return Pong(ping="pong")


@router.get("/conferences/skins", summary="Looks", responses=errors_of(401, 503))
def list_skins(caller: Caller, session: Reader) -> list[Skin]:
    """What `skin_id` may be: the house's own look, and those that the account made."""
    default = skins.default_of(session, caller.id)
    return [
        Skin(
            id=look.skin_id,
            name=look.name,
            default=look.skin_id == default,
            accent=look.accent,
            background=look.background,
        )
        for look in skins.looks_of(session, caller.id)
    ]


@router.get("/phone_gateways", summary="Dial-in numbers", responses=errors_of(401, 503))
def phone_gateways(_caller: Caller, services: AllServices) -> list[GatewayEntry]:
    """The numbers that callers dial, by city."""
    return [views.gateway_entry(gateway) for gateway in services.gateways]


@router.get("/time_zone_list", summary="Time zones", responses=errors_of(401, 503))
def time_zones(_caller: Caller) -> list[str]:
    """The names that `timezone` may have."""
    return sorted(zone_names())


@router.get(
    "/time_zone_list/{country}", summary="Time zones of a country", responses=errors_of(401, 404, 503)
)
def time_zones_of(
    _caller: Caller, country: Annotated[str, Path(description="Country, ISO 3166, such as `fr`.")]
) -> list[str]:
    """The names that `timezone` may have in that country."""
    zones = countries().get(country.upper())
    if zones is None:
        raise not_found("country")
    return list(zones)
