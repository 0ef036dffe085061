"""What comes at the live socket of a whole product that no page of ours sends, and what others notice of it:
nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets

from tests.faults.scene import Caller, Scene, until
from tests.rooms.webrtc.studio import Browser
from tests.support.pages import Pages, RoomPage
from tests.support.product import Product

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

BURST = 1000
NEIGHBOUR = "127.0.0.2"


@pytest.fixture
def pages(product: Product) -> Iterator[Pages]:
    with Pages(product) as ready:
        yield ready


@pytest.fixture
def ann(scene: Scene) -> Iterator[Caller]:
    """Somebody in the room by telephone, whose sound must not suffer."""
    caller = scene.caller()
    caller.enter(scene.product.listener_pin)
    begun_s, heard, lost = time.monotonic(), len(caller.sound.heard), caller.sound.lost()
    yield caller
    took_s = time.monotonic() - begun_s
    assert not caller.call.ended.is_set()
    assert caller.sound.lost() == lost
    assert len(caller.sound.heard) - heard > 0.9 * 50 * took_s
    caller.hang_up()


def count(product: Product, name: str) -> float:
    """A counter of /metrics, 0 while it is not there."""
    lines = str(product.get("/metrics")).splitlines()
    return float(next((line.split(" ")[1] for line in lines if line.startswith(f"{name} ")), "0"))


def refused(product: Product, slug: str) -> float:
    return count(product, f'tollbridge_socket_refused_total{{slug="{slug}"}}')


def leave(*pages: RoomPage) -> None:
    for page in pages:
        assert page.ask("leave")["ok"]


def test_a_thousand_sockets_from_one_address(scene: Scene, pages: Pages, ann: Caller) -> None:
    """They are refused early; who is in, other addresses and telephones do not notice."""
    product = scene.product
    ada = pages.presenter("Ada", address=NEIGHBOUR).enter()
    mallory = pages.page("Mallory")
    assert mallory.join().status_code == 200
    opened: list[Any] = []

    async def knock() -> str:
        try:
            made = await websockets.connect(
                mallory.socket_url,
                additional_headers={"Cookie": mallory.cookie},
                local_addr=("127.0.0.1", 0),
                open_timeout=30,
                ping_interval=None,
            )
        except websockets.InvalidStatus as exc:
            return str(exc.response.status_code)
        opened.append(made)
        return "open"

    async def storm() -> Counter[str]:
        answers: Counter[str] = Counter()
        for _ in range(BURST // 100):
            answers.update(await asyncio.gather(*(knock() for _ in range(100))))
        return answers

    storming = pages.begin(storm())
    waits_s = []
    while not storming.done():
        asked_s = time.monotonic()
        assert ada.ask("ping")["ok"]
        waits_s.append(time.monotonic() - asked_s)
        time.sleep(0.05)  # 20 messages a second are a page's right
    assert storming.result() == {"open": 50, "403": BURST - 50}
    assert refused(product, "too-many-sockets") == BURST - 50
    assert sorted(waits_s)[len(waits_s) // 2] < 5.0, waits_s

    # While they stay, the neighbour gets in, and nobody of them is in the room: they never said hello.
    bea = pages.page("Bea", address=NEIGHBOUR).enter()
    assert sorted(person["name"] for person in scene.people()) == sorted([ann.name, "Ada", "Bea"])
    with pytest.raises(websockets.InvalidStatus):
        mallory.connect()

    # With them gone the address is welcome.
    pages.do(close_all(opened))
    until(lambda: count(product, "tollbridge_sockets") == 2, "the end of the fifty")
    mallory.enter()
    leave(ada, bea, mallory)


async def close_all(sockets: list[Any]) -> None:
    await asyncio.gather(*(each.close() for each in sockets))


@pytest.mark.usefixtures("ann")
def test_a_page_that_does_not_read(scene: Scene, pages: Pages) -> None:
    """The others are told everything at once; when it reads again it finds its way to how things are."""
    product = scene.product
    ada = pages.page("Ada").enter()
    slow = pages.page("Slow", address=NEIGHBOUR)
    assert slow.join().status_code == 200
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plug.bind((NEIGHBOUR, 0))
    plug.connect(("127.0.0.1", product.http_port))
    plug.setblocking(False)
    deaf = pages.do(deaf_page(slow, plug))
    path = f"{product.url}/v1/conferences/{product.room}/live"
    with httpx.Client(headers={"X-Api-Key": product.api_key}) as organiser:
        for _ in range(150):
            for command in ("lock", "unlock"):
                assert organiser.post(path, json={"command": command}).status_code == 200
        asked_s = time.monotonic()
        assert organiser.post(path, json={"command": "lock"}).status_code == 200
        pages.until(lambda: ada.state["locked"], "the last change on the page that reads")
        assert time.monotonic() - asked_s < 5.0
    assert ada.states == 1  # the one that reads got every change, in order
    seq = ada.state["seq"]

    async def catch_up() -> None:
        seen = 0
        while seen < seq:
            told = json.loads(await deaf.recv())
            seen = told["state"]["seq"] if "state" in told else told.get("seq", seen)

    pages.do(catch_up())
    pages.do(deaf.close())
    until(lambda: not any(one["connected"] and one["name"] == "Slow" for one in scene.people()), "its loss")
    scene.order("unlock")
    leave(ada)


async def deaf_page(page: RoomPage, plug: socket.socket) -> Any:
    """A connected page that asks for states and reads none of them."""
    made = await websockets.connect(
        page.socket_url,
        sock=plug,
        additional_headers={"Cookie": page.cookie},
        max_queue=1,
        max_size=None,
        ping_interval=None,
    )
    await made.send(json.dumps({"n": 1, "do": "hello", "seq": None}))
    for n in range(2, 55):
        await made.send(json.dumps({"n": n, "do": "state"}))
        await asyncio.sleep(0.01)
    return made


def test_forged_and_replayed_messages(scene: Scene, pages: Pages, ann: Caller) -> None:
    product = scene.product
    ada, bea = pages.presenter("Ada").enter(), pages.page("Bea").enter()
    phone = next(person["id"] for person in scene.people() if person["name"] == ann.name)

    # A participant is no presenter, whatever the message says.
    before = refused(product, "not-presenter")
    for do, fields in (
        ("mute", {"participant": ada.id}),
        ("unmute", {"participant": phone}),
        ("kick", {"participant": ada.id}),
        ("undo_kick", {"participant": ada.id}),
        ("rename", {"participant": ada.id, "name": "Eve"}),
        ("set_mode", {"mode": "discussion"}),
        ("give_floor", {"participant": bea.id}),
        ("lock", {}),
        ("start", {}),
        ("end", {"close": True}),
        ("toll_free", {"on": True}),
        ("gateway", {"on": False}),
    ):
        answer = bea.ask(do, role="presenter", by=ada.id, actor=ada.id, **fields)
        assert answer["error"]["slug"] == "not-presenter", (do, answer)
    assert refused(product, "not-presenter") == before + 12
    product.wait_for(lambda: '"not-presenter"' in product.text or "not-presenter" in product.text, "a log")

    # A message is obeyed once: neither again nor with a number from before.
    n = 100
    assert bea.ask("toggle_mute", n=n)
    muted = bea.card()["muted_by"]
    for again in (n, n - 1, 1):
        assert bea.ask("toggle_mute", n=again)["error"]["slug"] == "out-of-order"
    assert bea.card()["muted_by"] == muted

    # Another person's ticket under one's own seat, and a ticket with a letter changed: no door.
    name, _, text = bea.cookie.partition("=")
    version, payload, mac = text.split(".")
    for forged in (f"{version}.{payload}.{mac[:-4]}AAAA", f"{version}.{payload[:-6]}AAAAAA.{mac}", "x"):
        eve = pages.page("Eve", address="127.0.0.3")
        eve.cookie = f"{name}={forged}"
        with pytest.raises(websockets.InvalidStatus) as closed:
            eve.connect()
        assert closed.value.response.status_code == 403

    # A copied ticket is the same person, and the newer page wins.
    copy = pages.page("Bea")
    copy.cookie = bea.cookie
    copy.enter()
    pages.until(lambda: bea.closed, "the end of the older page")
    assert bea.closed is not None
    assert bea.closed[0] == 4001
    assert [person["name"] for person in scene.people()].count("Bea") == 1
    assert ada.ask("ping")["ok"]
    leave(ada, copy)


@pytest.mark.usefixtures("ann")
def test_frames_of_any_size_and_any_rubbish(pages: Pages) -> None:
    """Too large frames, bytes, broken JSON, floods: that connection ends, and its person may come back."""
    ada = pages.presenter("Ada").enter()
    codes = {}
    storms: dict[str, list[str | bytes]] = {
        "huge": ["x" * (16 << 20)],
        "just-too-large": [json.dumps({"n": 2, "do": "offer", "sdp": "x" * (64 * 1024)})],
        "bytes": [b"\x00\xff" * 50],
        "flood": [json.dumps({"n": 2, "do": "ping"})] * 2000,
        "rubbish": ["{", "[]", "null", '{"n": 1e999}', "\u0000", "[" * 5000] * 100,
    }
    for name, frames in storms.items():
        page = pages.page("Mallory", address="127.0.0.3").enter()
        try:
            for each in frames:
                page.say_raw(each)
        except websockets.ConnectionClosed:
            pass
        pages.until(lambda page=page: page.closed, f"the end of {name}")  # type: ignore[misc]
        assert page.closed is not None
        codes[name] = page.closed[0]
        page.enter()
        leave(page)
    assert codes == {"huge": 1009, "just-too-large": 1009, "bytes": 1003, "flood": 4429, "rubbish": 4429}
    assert ada.ask("ping")["ok"]
    assert ada.states == 1
    leave(ada)


@pytest.mark.usefixtures("ann")
def test_rubbish_offers(scene: Scene, pages: Pages) -> None:
    """SDP that is none, or is broken anywhere, is refused; the sound of others goes on, and so does one's own
    good offer afterwards.
    """
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    product = scene.product
    (worker,) = product.children("rooms.webrtc.worker")
    ada = pages.presenter("Ada").enter().sound(says_hz=700)
    assert ada.browser is not None
    good = pages.do(a_good_offer())
    mallory = pages.page("Mallory", address="127.0.0.3").enter()
    answers: Counter[str] = Counter()
    for number in range(80):
        answer = mallory.ask("offer", sdp=broken(good, number, chance))
        answers[answer["error"]["slug"] if "error" in answer else "answered"] += 1
        time.sleep(0.03)  # within a page's rate
    assert set(answers) <= {"bad-offer", "answered"}, answers
    assert answers["bad-offer"] >= 20
    assert product.children("rooms.webrtc.worker") == [worker]
    no_texts: list[object] = [None, 5, ["v=0"], {}]
    for value in no_texts:
        assert mallory.ask("offer", sdp=value)["error"]["slug"] == "bad-message"
    mallory.sound(says_hz=950)
    pages.until(lambda: mallory.card().get("sound") == "web", "sound after all")
    assert ada.browser.pc.connectionState == "connected"
    assert ada.card()["sound"] == "web"
    leave(mallory, ada)


async def a_good_offer() -> str:
    browser = Browser(9)
    try:
        return await browser.offer()
    finally:
        await browser.close()


def broken(sdp: str, number: int, chance: random.Random) -> str:
    """An offer with something wrong."""
    lines = sdp.split("\r\n")
    match number % 8:
        case 0:
            return chance.choice(["", "v=0", "\r\n" * 500, "v=0\r\n" * 3000, "\u0000" * 100, "é" * 1000])
        case 1:
            del lines[chance.randrange(len(lines)) :]
        case 2:
            del lines[chance.randrange(len(lines))]
        case 3:
            lines[chance.randrange(len(lines))] *= 40
        case 4:
            chance.shuffle(lines)
        case 5:
            at = chance.randrange(len(lines))
            lines[at] = lines[at].replace(":", chance.choice(["", "::", ":-1 ", ":99999999999999999999 "]))
        case 6:
            letters = list(sdp)
            for _ in range(20):
                letters[chance.randrange(len(letters))] = chr(chance.randrange(1, 0x2FF))
            return "".join(letters)
        case _:
            kind = chance.choice(["m=video", "m=application", "m=audio 9 RTP/AVP", "m=audio 70000"])
            return sdp.replace("m=audio", kind) if chance.random() < 0.5 else sdp * 20
    return "\r\n".join(lines)
