"""A program that was written for the product of the FAQ: forms in the bracket style, wrappers, names.

It plans an event with tokens, hands them out, invites, registers, makes links that let people in by
themselves, and asks afterwards who was there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.acceptance.lifecycle.organiser import Organiser
from tests.phones.visitor import Chromiums
from tests.support.pdf_text import texts_of
from tests.support.post_office import PostOffice
from tests.support.product import Product, Room

pytestmark = pytest.mark.acceptance


class Client:
    """Sends forms, never JSON, and asks for `.json`."""

    def __init__(self, product: Product) -> None:
        self.product = product

    def post(self, path: str, fields: Mapping[str, object], *, method: str = "POST") -> Any:
        answer = httpx.request(
            method,
            f"{self.product.url}/v1/{path}",
            data={name: str(value) for name, value in fields.items()},
            headers={"X-Api-Key": self.product.api_key},
        )
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        return self.product.get(f"/v1/{path}.json")


def test_a_client_of_the_product_of_the_faq(
    product: Product, post: PostOffice, browsers: Chromiums, organiser: Organiser
) -> None:
    client = Client(product)
    assert client.get("ping") == {"ping": "pong"}
    assert "Europe/Paris" in str(client.get("time_zone_list/FR"))
    made = client.post(
        "conferences",
        {
            "name": "Webinaire d’essai",
            "room_type": "webinar",
            "permanent_room": 0,
            "access_type": 3,
            "lobby_enabled": 1,
            "lobby_description": "Bienvenue",
            "starts_at": "2027-03-27T10:00",
            "duration": "1:30",
            "timezone": "Europe/Paris",
            "registration[enabled]": 1,
            "settings[phonegateway_enabled]": 1,
            "settings[thank_you_emails_enabled]": 0,
        },
    )["room"]
    path = f"conferences/{made['id']}"
    assert client.get(path)["conference"]["settings"]["thank_you_emails_enabled"] is False
    assert made["starts_at"] == "2027-03-27T10:00:00+01:00"
    # A day later the clocks have changed.
    moved = client.post(path, {"starts_at": "2027-03-28T10:00", "name": "Essai"}, method="PUT")["conference"]
    assert (moved["starts_at"], moved["timezone_offset"], moved["name"]) == (
        "2027-03-28T10:00:00+02:00", 7200, "Essai",
    )  # fmt: skip
    assert made["id"] in [one["id"] for one in client.get("conferences/active")]

    tokens = client.post(f"{path}/tokens", {"how_many": 2})["access_tokens"]
    assert all(re.fullmatch(r"[0-9A-Z]{6}", one["token"]) for one in tokens)
    assert all(one["first_use_date"] is None for one in client.get(f"{path}/tokens")["access_tokens"])

    asked = {"attendees[0][email]": "luc@example.org", "attendees[1][email]": "lea@example.org"}
    assert client.post(f"{path}/invitation/email/fr", asked)["status"] == "OK"
    letter = post.letter("luc@example.org", "Invitation")
    assert "vous invite" in letter.text
    sent = {one["sent_to_email"] for one in client.get(f"{path}/tokens")["access_tokens"]}
    assert sent >= {"luc@example.org", "lea@example.org"}

    registered = client.post(
        f"{path}/registration",
        {
            "registration[1]": "Max",
            "registration[2]": "Roux",
            "registration[3]": "max@example.org",
            "confirmation_email[enabled]": 1,
            "confirmation_email[lang]": "fr",
        },
    )
    assert registered["status"] == "OK"
    assert post.letter("max@example.org").link("?t=") == registered["url"]
    (found,) = client.get(f"{path}/registrations/active")
    assert (found["email"], found["first_name"]) == ("max@example.org", "Max")
    assert client.get(f"{path}/registrations/pending") == []

    # Two people by links of their own: nothing is left to fill in.
    room = Room(product, str(made["id"]), presenter_pin="", listener_pin="")
    links = {
        name: client.post(
            f"{path}/room/autologin_hash",
            {"email": f"{name}@example.org", "nickname": name, "role": role, **proof},
        )["autologin_hash"]
        for name, role, proof in (
            ("Hugo", "host", {}),
            ("Lise", "listener", {"token": tokens[0]["token"]}),
        )
    }
    for name, key in links.items():
        visitor = browsers.visitor(name, room)
        visitor.page.goto(f"{made['room_url']}?l={key}")
        assert (visitor.page.input_value("#name"), visitor.page.input_value("#email")) == (
            name, f"{name}@example.org",
        )  # fmt: skip
        visitor.page.click("label.choice:has(input[name=way][value=listen])")
        visitor.page.click("#enter")
        visitor.here()
    hugo, lise = browsers.visitors[-2:]
    assert {one["name"]: one["role"] for one in room.people()} == {"Hugo": "presenter", "Lise": "participant"}
    lise.sees("#waiting", "Bienvenue")
    hugo.click("#start")
    lise.shows("#waiting[hidden]")
    client.post(f"{path}/live", {"command": "end"})
    for visitor in (hugo, lise):
        visitor.shows("#room[data-phase=ended]")

    room.finished_cdrs(2)
    (run,) = client.get(f"{path}/sessions")
    attendees = client.get(f"{path}/sessions/{run['id']}/attendees")
    assert {(one["nickname"], one["role"], one["email"]) for one in attendees} == {
        ("Hugo", "presenter", "hugo@example.org"), ("Lise", "listener", "lise@example.org"),
    }  # fmt: skip
    report = client.get(f"{path}/sessions/{run['id']}/generate-pdf/fr")
    assert (report["status"], report["progress"]) == ("FINISHED", 100)
    assert {"Essai", "Hugo", "Lise"} <= set(texts_of(httpx.get(report["url"]).content))
    assert made["id"] in [one["id"] for one in client.get("conferences/inactive")]
    organiser.open("/contacts")
    assert "Max Roux" in organiser.row("max@example.org").inner_text()
