"""The processes that carry browsers' sound are killed while browsers and telephones talk."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import StartProduct
from tests.faults.scene import Caller, Scene, steadily, until
from tests.support.pages import Pages, RoomPage
from tests.support.sound import sine

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

ANN_HZ, ADA_HZ, BEA_HZ = 425.0, 700.0, 950.0


def talk(scene: Scene, pages: Pages) -> tuple[Caller, RoomPage, RoomPage]:
    """Ann on the telephone, Ada and Bea in browsers, all of whom hear the others."""
    ann = scene.caller(says=sine(ANN_HZ))
    ann.enter(scene.product.presenter_pin)
    ada = pages.presenter("Ada").enter().sound(says_hz=ADA_HZ)
    bea = pages.page("Bea").enter().sound(says_hz=BEA_HZ)
    scene.order("start")
    scene.order("set_mode", mode="discussion")
    for page in (ada, bea):
        pages.until(lambda page=page: page.card().get("sound") == "web", "its sound")  # type: ignore[misc]
    for person in scene.people():
        if person["muted"]:  # the start mutes everybody
            assert ada.ask("unmute", participant=person["id"])["ok"]
    steadily(everybody_hears(ann, ada, bea), "everybody hears the others", for_s=1.0)
    return ann, ada, bea


def everybody_hears(ann: Caller, ada: RoomPage, bea: RoomPage) -> Callable[[], bool]:
    return lambda: (
        ann.hears(ADA_HZ)
        and ann.hears(BEA_HZ)
        and ada.hears(ANN_HZ)
        and ada.hears(BEA_HZ)
        and bea.hears(ANN_HZ)
        and bea.hears(ADA_HZ)
    )


def test_the_webrtc_process_is_killed(make_product: StartProduct) -> None:
    product = make_product()
    with Scene(product) as scene, Pages(product) as pages:
        ann, ada, bea = talk(scene, pages)
        bob = scene.caller()
        bob.enter(product.listener_pin)
        steadily(lambda: bob.hears(ANN_HZ), "Bob hears Ann", for_s=0.5)
        (worker,) = product.children("rooms.webrtc.worker")
        lost = bob.sound.lost()
        os.kill(worker, signal.SIGKILL)
        killed_s = time.monotonic()

        # Pages are told at once that their sound is gone; nobody leaves, and no socket closes.
        pages.until(lambda: ada.card()["sound"] is None and bea.card()["sound"] is None, "word to the pages")
        assert time.monotonic() - killed_s < 2.0
        assert ada.sounds[-1]["via"] is None
        assert ada.card()["connected"]
        assert ada.closed is None

        # Telephones hear each other as before, without a gap.
        steadily(lambda: bob.hears(ANN_HZ), "Bob hears Ann", for_s=1.0, within_s=5)
        assert bob.sound.lost() == lost
        until(lambda: not ann.hears(ADA_HZ), "silence of Ada")

        # A new offer, as pages make it by themselves: the same person, heard and hearing again.
        until(lambda: product.children("rooms.webrtc.worker") not in ([], [worker]), "its successor")
        until(lambda: ada.ask("offer", sdp="v=0")["error"]["slug"] == "bad-offer", "a successor that answers")
        ada.sound(says_hz=ADA_HZ)
        bea.sound(says_hz=BEA_HZ)
        steadily(everybody_hears(ann, ada, bea), "everybody hears the others", for_s=1.0)
        names = sorted(person["name"] for person in scene.people())
        assert names == sorted([ann.name, bob.name, "Ada", "Bea"])
        assert ada.states == 1

        ada.ask("leave")
        record = until(
            lambda: next((r for r in scene.records() if r["participant_id"] == ada.id), None), "Ada's record"
        )
        assert (record["channel"], record["reason_slug"]) == ("webrtc", "caller-hung-up")
        assert sum(r["participant_id"] == ada.id for r in scene.records()) == 1


def test_the_media_worker_is_killed_with_browsers_in_the_room(make_product: StartProduct) -> None:
    product = make_product()
    with Scene(product) as scene, Pages(product) as pages:
        ann, ada, bea = talk(scene, pages)
        connection = ada.browser
        (worker,) = product.worker_pids()
        os.kill(worker, signal.SIGKILL)
        for page in (ada, bea):
            assert page.browser is not None
            page.browser.forget()
        ann.sound.heard.clear()
        begun_s = time.monotonic()
        steadily(everybody_hears(ann, ada, bea), "everybody hears the others", for_s=1.0)
        assert time.monotonic() - begun_s < 4.0
        # No page had to do anything: the connections of browsers lived on, and nobody was told otherwise.
        assert ada.browser is connection
        assert all(sound["via"] == "web" for sound in ada.sounds[-1:])
        assert ada.card()["connected"]
        # The new worker knows who may speak: a mute still holds and still ends.
        assert ada.ask("mute")["ok"]
        until(lambda: not ann.hears(ADA_HZ), "silence of Ada")
        assert ada.ask("unmute")["ok"]
        until(lambda: ann.hears(ADA_HZ), "Ada")


def test_both_processes_are_killed_again_and_again(make_product: StartProduct) -> None:
    product = make_product()
    with Scene(product) as scene, Pages(product) as pages:
        ann, ada, bea = talk(scene, pages)
        for _ in range(2):
            for pid in product.children("rooms.webrtc.worker") + product.worker_pids():
                os.kill(pid, signal.SIGKILL)
            pages.until(lambda: ada.card()["sound"] is None, "word to the pages")
            until(lambda: product.children("rooms.webrtc.worker") and product.worker_pids(), "successors")
            until(
                lambda: ada.ask("offer", sdp="v=0")["error"]["slug"] == "bad-offer",
                "a successor that answers",
            )
        ada.sound(says_hz=ADA_HZ)
        bea.sound(says_hz=BEA_HZ)
        steadily(everybody_hears(ann, ada, bea), "everybody hears the others", for_s=1.0)
        assert len(scene.people()) == 3


def test_the_whole_product_restarts_while_pages_are_open(make_product: StartProduct) -> None:
    """After SIGKILL pages connect with the ticket they have; each is one person, and gets the whole state
    because the changes since its number are gone.
    """
    product = make_product()
    with Scene(product) as scene, Pages(product) as pages:
        ada = pages.presenter("Ada").enter().sound(says_hz=ADA_HZ)
        bea = pages.page("Bea").enter()
        scene.order("start")
        scene.order("lock")
        pages.until(lambda: ada.state["locked"], "the lock on the page")
        seq, seat, states = ada.state["seq"], ada.id, ada.states
        settled_s = time.monotonic() + 2.0  # checkpoints are written once a second
        until(lambda: time.monotonic() > settled_s, "two checkpoints")
        product.kill()
        pages.until(lambda: ada.closed and bea.closed, "the end of the sockets")
        product.start()

        ada.enter(seq=seq)
        pages.until(lambda: ada.states == states + 1, "the whole state instead of changes")
        assert ada.state["seq"] > seq
        assert (ada.id, ada.state["me"]["role"]) == (seat, "presenter")
        assert not ada.state["locked"]  # a new run of the event: nothing of the old one is claimed
        bea.enter(seq=bea.state["seq"])
        pages.until(lambda: len(ada.state["people"]) == 2, "both on the page")
        assert sorted(person["name"] for person in scene.people()) == ["Ada", "Bea"]
        ada.sound(says_hz=ADA_HZ)
        pages.until(lambda: ada.card()["sound"] == "web", "Ada's sound")

        # The visits before the crash have their records, closed by it; the new ones go on.
        crashed = [r for r in scene.records() if r["end_basis"] == "node_crash"]
        assert {r["participant_id"] for r in crashed} == {ada.id, bea.id}
        assert product.stop() == 0
        pages.until(lambda: ada.closed, "the end of the socket")
