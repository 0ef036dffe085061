"""Digest: right and wrong passwords, replays, old nonces, both algorithms."""

from __future__ import annotations

import pytest

from bridge.sip.config import Trunk
from bridge.sip.digest import Checked, DigestGate, Verdict
from tests.phones.sip_message import authorization

TRUNK = Trunk(name="provider", user="4711", password="correct horse")
URI = "sip:+33975129519@192.0.2.9"


def gate() -> DigestGate:
    return DigestGate(
        realm="tollbridge", secret=b"s" * 32, find=lambda user: TRUNK if user == TRUNK.user else None
    )


def respond(
    challenge: str, *, user: str = "4711", password: str = "correct horse", count: int = 1, uri: str = URI
) -> tuple[str, ...]:
    return (authorization(challenge, user=user, password=password, method="INVITE", uri=uri, count=count),)


def check(door: DigestGate, fields: tuple[str, ...], now_s: float = 1.0) -> Checked:
    return door.check(fields, method="INVITE", now_s=now_s)


@pytest.mark.parametrize("index", [0, 1])
def test_the_right_password_is_let_in_by_either_algorithm(index: int) -> None:
    door = gate()
    challenges = door.challenges(now_s=0.0)
    assert ["algorithm=SHA-256" in challenges[0], "algorithm=MD5" in challenges[1]] == [True, True]
    checked = check(door, respond(challenges[index]))
    assert (checked.verdict, checked.trunk) == (Verdict.ACCEPTED, TRUNK)


def test_the_example_of_rfc_7616() -> None:
    """RFC 7616 section 3.9.1: the SHA-256 response for Mufasa, as a check of the test's own arithmetic."""
    challenge = (
        'Digest realm="http-auth@example.org", qop="auth", algorithm=SHA-256, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"'
    )
    value = authorization(
        challenge,
        user="Mufasa",
        password="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" in value


def test_wrong_password_and_unknown_user() -> None:
    door = gate()
    challenge = door.challenges(now_s=0.0)[0]
    assert check(door, respond(challenge, password="wrong")).verdict is Verdict.WRONG
    assert check(door, respond(challenge, user="nobody")).verdict is Verdict.WRONG
    assert check(door, respond(challenge, user="", password="None")).verdict is Verdict.WRONG


def test_a_replay_is_refused_and_a_higher_count_is_not() -> None:
    door = gate()
    challenge = door.challenges(now_s=0.0)[0]
    assert check(door, respond(challenge)).verdict is Verdict.ACCEPTED
    assert check(door, respond(challenge)).verdict is Verdict.WRONG
    assert check(door, respond(challenge, count=2)).verdict is Verdict.ACCEPTED
    assert check(door, respond(challenge, count=1)).verdict is Verdict.WRONG


def test_an_old_nonce_is_stale_even_with_the_right_password() -> None:
    door = gate()
    challenge = door.challenges(now_s=0.0)[0]
    assert check(door, respond(challenge), now_s=61.0).verdict is Verdict.STALE
    assert "stale=true" in door.challenges(stale=True, now_s=61.0)[0]


def test_a_nonce_of_another_process_is_stale() -> None:
    other = DigestGate(realm="tollbridge", secret=b"o" * 32, find=lambda _user: TRUNK)
    assert check(gate(), respond(other.challenges(now_s=0.0)[0])).verdict is Verdict.STALE


@pytest.mark.parametrize(
    "value",
    ["", "Basic abc", "Digest", "Digest nonsense", 'Digest realm="other"', "Digest " + "x" * 10000,
     'Digest realm="tollbridge", username="4711", nonce="1", uri="x", response="y"',
     'Digest realm="tollbridge", username="4711", nonce="1", qop=auth, nc=zz, response="y"',
     'Digest realm="tollbridge", algorithm=WHIRLPOOL, qop=auth, nc=00000001, response="y"'],
)  # fmt: skip
def test_strange_credentials_are_challenged(value: str) -> None:
    assert check(gate(), (value,)).verdict is Verdict.CHALLENGE


def test_the_response_depends_on_the_method() -> None:
    door = gate()
    value = respond(door.challenges(now_s=0.0)[0])
    assert door.check(value, method="REGISTER", now_s=1.0).verdict is Verdict.WRONG


def test_every_challenge_has_a_nonce_of_its_own() -> None:
    door = gate()
    assert door.challenges(now_s=0.0) != door.challenges(now_s=0.0)
