"""Reading an INVITE and deciding about it, without a network."""

from __future__ import annotations

import ipaddress

import pytest

from bridge.media import Codec
from bridge.numbers import NumberBook
from bridge.sip.config import LOOPBACK, SipConfig, Trunk
from bridge.sip.door import Challenge, Decision, Door, LetIn, TurnAway
from bridge.sip.errors import SipConfigError
from bridge.sip.keys import key_of_info
from bridge.sip.messages import Presentation
from bridge.sip.reason import format_reason, parse_reason
from bridge.sip.trusted import split_source
from tests.phones.sip_message import audio_sdp, authorization

BOOK = NumberBook.load(NumberBook.default_path())
FRANCE = Trunk(name="france", sources=(ipaddress.ip_network("192.0.2.0/24"),), country="FR")
SPECIAL = Trunk(
    name="special", sources=(ipaddress.ip_network("192.0.2.7/32"),), default_number="+33975129519"
)
DIGEST = Trunk(name="digest", user="4711", password="secret")
V6 = Trunk(name="v6", sources=(ipaddress.ip_network("2001:db8::/32"),))


def door(*trunks: Trunk) -> Door:
    return Door(SipConfig(trunks=trunks or (LOOPBACK, FRANCE, SPECIAL, V6)), BOOK)


def invite(
    *headers: str,
    uri: str = "sip:+33975129519@192.0.2.9",
    to: str = "<sip:+33975129519@192.0.2.9>",
    sender: str = '"Ada" <sip:+4930123456@example.com>;tag=1',
    body: str | None = None,
) -> str:
    lines = [
        f"INVITE {uri} SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
        f"From: {sender}",
        f"To: {to}",
        "Call-ID: abc@192.0.2.1",
        "CSeq: 1 INVITE",
        "User-Agent: Phone 1.0",
        *headers,
        "Content-Type: application/sdp",
    ]
    return "\r\n".join([*lines, "", audio_sdp() if body is None else body])


def decide(
    text: str, source: str = "192.0.2.1:5060", *, full: bool = False, at: Door | None = None
) -> Decision:
    return (at or door()).decide(text, source, full=full, now_s=0.0)


def let_in(text: str, source: str = "192.0.2.1:5060") -> LetIn:
    decision = decide(text, source)
    assert isinstance(decision, LetIn)
    return decision


def test_a_call_from_a_trunk_is_let_in_with_its_facts() -> None:
    decision = let_in(invite())
    facts = decision.facts
    assert (facts.trunk, facts.number_id, facts.called_e164) == ("france", "fr-paris", "+33975129519")
    assert (facts.caller_e164, facts.display_name, facts.user_agent) == ("+4930123456", "Ada", "Phone 1.0")
    assert (facts.source_ip, facts.source_port, facts.transport) == ("192.0.2.1", 5060, "udp")
    assert decision.codecs == (Codec.PCMU, Codec.PCMA)


@pytest.mark.parametrize(
    ("source", "trunk"),
    [("192.0.2.7:5060", "special"), ("192.0.2.8:1", "france"), ("127.0.0.1:9", "loopback"),
     ("[2001:db8::1]:5060", "v6"), ("[::ffff:192.0.2.8]:5060", "france"), ("[::1]:5060", "loopback")],
)  # fmt: skip
def test_the_most_specific_source_network_wins(source: str, trunk: str) -> None:
    assert let_in(invite(), source).facts.trunk == trunk


def test_strangers_get_403_and_are_slowed() -> None:
    at = door()
    decisions = [decide(invite(), "198.51.100.1:5060", at=at) for _ in range(8)]
    assert all(isinstance(d, TurnAway) and (d.status, d.slug) == (403, "not-allowed") for d in decisions)
    assert [d.delay_s for d in decisions if isinstance(d, TurnAway)][-3:] == [0.25, 0.5, 1.0]
    facts = decisions[0].facts if isinstance(decisions[0], TurnAway) else None
    assert facts is not None
    assert (facts.called_e164, facts.display_name, facts.trunk) == ("+33975129519", "", "")


@pytest.mark.parametrize(
    ("uri", "to", "number_id"),
    [
        ("sip:+33975129519@h", "<sip:x@h>", "fr-paris"),
        ("sip:0033975129519@h;transport=udp", "<sip:x@h>", "fr-paris"),
        ("sip:0975129519@h;user=phone", "<sip:x@h>", "fr-paris"),
        ("sip:975129519;phone-context=+33@h", "<sip:x@h>", "fr-paris"),
        ("tel:+33-9-75-12-95-19", "<sip:x@h>", "fr-paris"),
        ("sip:trunkuser@h", '"To" <sip:+442070484146@h>', "gb-london"),
        ("sip:trunkuser@h", "sip:00442070484146@h;tag=1", "gb-london"),
        ("sip:trunkuser@h", "<tel:+44-20-7048-4146>", "gb-london"),
        ("sip:%2B33975129519@h", "<sip:x@h>", "fr-paris"),
        ("sip:+33975129519@h", "<sip:+442070484146@h>", "fr-paris"),
        ("sip:+33100000000@h", "<sip:x@h>", None),
        ("sip:h", "<sip:h>", None),
    ],
)
def test_the_dialled_number_is_taken_from_uri_then_to(uri: str, to: str, number_id: str | None) -> None:
    assert let_in(invite(uri=uri, to=to)).facts.number_id == number_id


def test_the_trunks_default_number_is_the_last_resort() -> None:
    assert let_in(invite(uri="sip:x@h", to="<sip:y@h>"), "192.0.2.7:1").facts.number_id == "fr-paris"
    assert let_in(invite(uri="sip:+442070484146@h"), "192.0.2.7:1").facts.number_id == "gb-london"


def test_a_number_we_do_not_have_is_still_told() -> None:
    facts = let_in(invite(uri="sip:+33123456789@h", to="<sip:+33123456789@h>")).facts
    assert (facts.called_e164, facts.number_id) == ("+33123456789", None)


@pytest.mark.parametrize(
    ("headers", "sender", "e164", "presentation"),
    [
        ((), "<sip:+4930123456@h>;tag=1", "+4930123456", Presentation.ALLOWED),
        ((), "sip:0123456789@h;tag=1", "+33123456789", Presentation.ALLOWED),
        ((), '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', None, Presentation.ANONYMOUS),
        ((), "<sip:alice@h>;tag=1", None, Presentation.UNAVAILABLE),
        (
            ("P-Asserted-Identity: <tel:+4930123456>", "Privacy: id"),
            "<sip:anonymous@anonymous.invalid>;tag=1",
            "+4930123456",
            Presentation.ANONYMOUS,
        ),
        (
            ('P-Asserted-Identity: "A, B" <sip:+4930123456@h>, <tel:+4930123456>',),
            "<sip:+15551234567@h>;tag=1",
            "+4930123456",
            Presentation.ALLOWED,
        ),
        (
            ('Remote-Party-ID: "X" <sip:+4930123456@h>;party=calling;privacy=full',),
            "<sip:x@h>;tag=1",
            "+4930123456",
            Presentation.ANONYMOUS,
        ),
        (("Privacy: none",), "<sip:+4930123456@h>;tag=1", "+4930123456", Presentation.ALLOWED),
        (("Privacy: header;id;critical",), "<sip:+4930123456@h>", "+4930123456", Presentation.ANONYMOUS),
    ],
)
def test_the_caller(
    headers: tuple[str, ...], sender: str, e164: str | None, presentation: Presentation
) -> None:
    facts = let_in(invite(*headers, sender=sender)).facts
    assert (facts.caller_e164, facts.caller_presentation) == (e164, presentation)
    assert presentation is not Presentation.ANONYMOUS or not facts.display_name


def test_compact_and_folded_headers_are_read() -> None:
    text = invite().replace("From:", "f:").replace("To: ", "t:\r\n  ").replace("Call-ID:", "i :")
    facts = let_in(text).facts
    assert (facts.caller_e164, facts.sip_call_id) == ("+4930123456", "abc@192.0.2.1")


def test_no_common_codec_is_488_and_a_broken_description_400() -> None:
    gsm = decide(invite(body=audio_sdp(formats=((3, "GSM/8000"),))))
    broken = decide(invite(body="v=0\r\nm=audio x RTP/AVP 0\r\n"))
    assert isinstance(gsm, TurnAway)
    assert isinstance(broken, TurnAway)
    assert (gsm.status, gsm.slug, broken.status, broken.slug) == (488, "no-common-codec", 400, "malformed")


def test_without_an_offer_and_in_multipart() -> None:
    assert let_in(invite(body="")).offer is None
    multipart = invite(body="--x\r\nContent-Type: application/sdp\r\n\r\n" + audio_sdp() + "\r\n--x--\r\n")
    multipart = multipart.replace(
        "Content-Type: application/sdp\r\n\r\n--x", "Content-Type: multipart/mixed;boundary=x\r\n\r\n--x"
    )
    assert let_in(multipart).codecs == (Codec.PCMU, Codec.PCMA)


def test_full_is_503_with_retry_after_but_not_for_strangers() -> None:
    ours = decide(invite(), full=True)
    theirs = decide(invite(), "198.51.100.1:5060", full=True)
    assert isinstance(ours, TurnAway)
    assert isinstance(theirs, TurnAway)
    assert (ours.status, ours.slug, theirs.status) == (503, "bridge-full", 403)
    assert ours.headers == (("Retry-After", "10"),)


def test_digest_trunk_from_anywhere() -> None:
    at = door(DIGEST)
    challenge = decide(invite(), "198.51.100.1:1", at=at)
    assert isinstance(challenge, Challenge)
    uri = "sip:+33975129519@192.0.2.9"
    good = authorization(challenge.fields[0], user="4711", password="secret", method="INVITE", uri=uri)
    bad = authorization(challenge.fields[0], user="4711", password="guess", method="INVITE", uri=uri)
    refused = decide(invite(f"Authorization: {bad}"), "198.51.100.1:1", at=at)
    accepted = decide(invite(f"Authorization: {good}"), "198.51.100.1:1", at=at)
    replayed = decide(invite(f"Authorization: {good}"), "198.51.100.1:1", at=at)
    assert isinstance(refused, TurnAway)
    assert (refused.status, refused.slug) == (403, "auth-failed")
    assert isinstance(accepted, LetIn)
    assert accepted.facts.trunk == "digest"
    assert isinstance(replayed, TurnAway)


def test_who_guesses_passwords_gets_no_more_challenges() -> None:
    at = door(DIGEST)
    for _ in range(6):
        challenge = decide(invite(), "198.51.100.1:1", at=at)
        assert isinstance(challenge, Challenge)
        bad = authorization(challenge.fields[0], user="4711", password="x", method="INVITE", uri="sip:x@h")
        decide(invite(f"Authorization: {bad}"), "198.51.100.1:1", at=at)
    assert isinstance(decide(invite(), "198.51.100.1:1", at=at), TurnAway)
    assert isinstance(decide(invite(), "198.51.100.2:1", at=at), Challenge)


@pytest.mark.parametrize("text", ["", "\r\n\r\n", "INVITE", "INVITE sip:x SIP/2.0\r\n\r\n", "\x00" * 100])
def test_nonsense_is_decided_about_too(text: str) -> None:
    assert isinstance(decide(text), LetIn)  # pjsip refuses such messages; here only that nothing is raised
    assert isinstance(decide(text, "garbage"), TurnAway)


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay", "Signal= *\nDuration=160", "*"),
        ("Application/DTMF-Relay; x=y", "signal=#", "#"),
        ("application/dtmf-relay", "Signal=11\r\n", "#"),
        ("application/dtmf-relay", "Duration=160\r\nSignal=a\r\n", "A"),
        ("application/dtmf", "7", "7"),
        ("application/dtmf", " # \r\n", "#"),
        ("application/dtmf", "10", "*"),
        ("application/dtmf", "99", None),
        ("application/dtmf", "", None),
        ("application/dtmf-relay", "Signal=flash", None),
        ("application/dtmf-relay", "Signal=12345", None),
        ("text/plain", "5", None),
    ],
)
def test_keys_in_info(kind: str, body: str, key: str | None) -> None:
    assert key_of_info(kind, body) == key


def test_reasons_are_read_and_written() -> None:
    reason = parse_reason(('SIP;cause=200;text="done, really", Q.850 ; cause=16 ; text="Normal"',))
    assert (reason.q850, reason.sip, reason.text) == (16, 200, "done, really")
    assert parse_reason(("Q.850;cause=0", "Q.850;cause=999", "Q.850", "nonsense", "")).q850 is None
    assert parse_reason((format_reason(31, 'bad "quotes"\r\n'),)) == parse_reason(
        ('Q.850;cause=31;text="bad quotes"',)
    )
    with pytest.raises(ValueError):
        format_reason(128)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("192.0.2.1:5060", ("192.0.2.1", 5060)), ("[2001:db8::1]:5060", ("2001:db8::1", 5060)),
     ("2001:db8::1", ("2001:db8::1", 0)), ("192.0.2.1", ("192.0.2.1", 0)), ("", ("", 0))],
)  # fmt: skip
def test_sources_are_split(address: str, expected: tuple[str, int]) -> None:
    assert split_source(address) == expected


@pytest.mark.parametrize(
    "settings",
    [{"hosts": ()}, {"hosts": ("localhost",)}, {"port": 70000}, {"tls_certificate": "x.pem"},
     {"codecs": ()}, {"session_min_s": 30}, {"max_calls": 0}, {"trunks": (LOOPBACK, LOOPBACK)}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SipConfigError):
        SipConfig(**settings)  # type: ignore[arg-type]


def test_a_trunk_needs_a_way_to_be_recognised_and_hides_its_password() -> None:
    with pytest.raises(SipConfigError):
        Trunk(name="x")
    with pytest.raises(SipConfigError):
        Trunk(name="x", user="u")
    assert "secret" not in repr(DIGEST)
