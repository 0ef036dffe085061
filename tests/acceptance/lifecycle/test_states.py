"""The product says in which state an event is, through all of its life, and keeps its look over a restart."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from websockets.sync.client import connect

from accounts.models import Account
from database.engine import create_engine, make_sessions
from database.types import now_utc
from events import skins
from events.pictures import Kind, Picture
from tests.support.product import Product, Room

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]
WITHIN_S = 60.0
"""For the scheduler, which looks every five seconds, on a busy machine."""


def becomes(product: Product, room: Room, state: str) -> None:
    product.wait_for(lambda: room.facts()["state"] == state, f"state {state}", within_s=WITHIN_S)


def test_scheduled_waiting_live_ended(tmp_path: Path) -> None:
    with Product(tmp_path) as product:
        begin = now_utc() + timedelta(hours=3)
        room = product.new_room("Results", permanent_room=0, starts_at=begin.isoformat(), duration="1:00")
        own = product.new_room("Always open")
        assert (room.facts()["state"], own.facts()["state"]) == ("scheduled", "scheduled")
        product.send("PUT", room.path, {"starts_at": (now_utc() + timedelta(minutes=10)).isoformat()})
        becomes(product, room, "waiting")
        product.send("PUT", room.path, {"starts_at": (now_utc() - timedelta(minutes=1)).isoformat()})
        for each in (room, own):
            name = each.facts()["name_url"]
            key = each.facts()["access_role_hashes"]["presenter"]
            answer = httpx.post(
                f"{product.url}/{name}/join", json={"name": "Ada", "email": "a@b.example", "l": key}
            )
            cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
            address = product.url.replace("http", "ws", 1) + f"/rooms/{name}/socket"
            with connect(address, additional_headers={"Cookie": cookie}) as page:
                page.send(json.dumps({"n": 1, "do": "hello", "seq": None}))
                becomes(product, each, "live")
                each.order("start")
                each.order("end")
        becomes(product, room, "ended")
        becomes(product, own, "scheduled")
        listed = {one["id"]: one["state"] for one in product.get("/v1/conferences/inactive")}
        assert listed == {int(room.id): "ended"}
        assert int(own.id) in {one["id"] for one in product.get("/v1/conferences/active")}


def test_a_look_is_there_after_a_restart(tmp_path: Path) -> None:
    with Product(tmp_path) as product:
        room = product.new_room("Results")
        engine = create_engine(product.database_url)
        with make_sessions(engine).begin() as session:
            owner = session.scalars(select(Account.id)).one()
            wishes = skins.parse_skin({"name": "Berry", "accent": "#b4235a", "background": "#1d2f6f"})
            skin = skins.create_skin(session, account_id=owner, wishes=wishes, default=True, now=now_utc())
            picture = Picture(content_type="image/png", width=100, height=40, body=b"\x89PNG")
            skins.set_picture(session, skin, kind=Kind.LOGO, picture=picture, now=now_utc())
            logo = skins.one_look(session, skin).logo
            assert logo is not None
            path, number = logo.path, skin.id
        engine.dispose()
        assert product.send("PUT", room.path, {"skin_id": number}).status_code == 200
        product.stop()
        product.start()
        assert httpx.get(product.url + path).content == b"\x89PNG"
        name = room.facts()["name_url"]
        assert path in httpx.get(f"{product.url}/{name}").text
