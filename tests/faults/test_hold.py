"""Hold and back, and a change of codec, in the middle of a conference."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.scene import Caller, Scene, steadily, until
from tests.support.product import Product
from tests.support.sound import sine

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

ANN_HZ, BOB_HZ = 425.0, 725.0


def unspecified(sdp: str) -> str:
    """The hold of RFC 2543 days."""
    return sdp.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")


def same(sdp: str) -> str:
    return sdp


@pytest.fixture
def talk(product: Product) -> Iterator[tuple[Caller, Caller]]:
    """Two presenters in conversation."""
    with Scene(product) as scene:
        ann, bob = scene.caller(says=sine(ANN_HZ)), scene.caller(says=sine(BOB_HZ))
        ann.enter(product.presenter_pin)
        bob.enter(product.presenter_pin)
        steadily(lambda: ann.hears(BOB_HZ) and bob.hears(ANN_HZ), "a conversation")
        yield ann, bob
        until(lambda: ann.hears(BOB_HZ) and bob.hears(ANN_HZ), "a conversation again")
        assert not ann.hears(ANN_HZ)
        ann.hang_up()
        bob.hang_up()
        assert ann.record()["reason_slug"] == "caller-hung-up"


@pytest.mark.parametrize(
    ("direction", "change", "answered"),
    [
        ("sendonly", same, "recvonly"),
        ("inactive", same, "inactive"),
        ("sendrecv", unspecified, ""),
        ("sendonly", unspecified, ""),
    ],
    ids=["sendonly", "inactive", "0.0.0.0", "sendonly 0.0.0.0"],
)
def test_hold(
    talk: tuple[Caller, Caller], direction: str, change: Callable[[str], str], answered: str
) -> None:
    """A held caller's exchange plays music at us; nobody may hear it, and the caller is sent nothing."""
    ann, bob = talk
    answer = ann.reinvite(direction=direction, change=change)
    assert answer.status == 200
    if answered:
        assert f"a={answered}" in answer.body
    until(lambda: not bob.hears(ANN_HZ, last_s=0.3), "silence from the held line")
    heard = len(ann.sound.heard)
    listened = len(bob.sound.heard)
    until(lambda: len(bob.sound.heard) > listened + 50, "a second of sound")
    assert len(ann.sound.heard) <= heard + 5
    assert not bob.hears(ANN_HZ, last_s=1.0)
    assert not ann.call.ended.is_set()

    assert ann.reinvite().status == 200
    until(lambda: len(ann.sound.heard) > heard + 25, "sound again")
    ann.sound.heard.clear()


def test_another_codec_in_the_middle(talk: tuple[Caller, Caller]) -> None:
    ann, bob = talk
    for codec in ("PCMU", "G722", "PCMA"):
        ann.sound.codec = codec
        ann.sound.says = sine(ANN_HZ, rate=ann.sound.rate)
        answer = ann.reinvite()
        assert answer.status == 200
        assert codec in answer.body
        ann.sound.heard.clear()
        until(lambda: len(ann.sound.heard) > 40 and ann.hears(BOB_HZ), f"Bob in {codec}")
        until(lambda: bob.hears(ANN_HZ), f"Ann in {codec}")
        assert not ann.hears(ANN_HZ)


def test_another_port_in_the_middle(talk: tuple[Caller, Caller]) -> None:
    """A phone that moves its sound to another socket (a transfer inside its exchange) is followed."""
    ann, _ = talk
    old = ann.sound
    ann.sound = ann.moved()
    assert ann.reinvite().status == 200
    old.sending = False
    until(lambda: len(ann.sound.heard) > 40, "sound at the new place")


def test_an_offer_that_cannot_be_answered_changes_nothing(talk: tuple[Caller, Caller]) -> None:
    ann, bob = talk
    gsm = ann.reinvite(change=lambda sdp: sdp.replace("AVP 8 101", "AVP 3").replace("8 PCMA", "3 GSM"))
    assert gsm.status == 488
    bob.sound.heard.clear()
    until(lambda: len(bob.sound.heard) > 40, "sound")
