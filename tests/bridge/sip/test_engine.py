"""Real SIP on loopback: every promise of the SIP side, each through a phone's eyes."""

from __future__ import annotations

import ipaddress
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.media import Codec
from bridge.sip.config import LOOPBACK, Registration, SipConfig, Trunk
from bridge.sip.errors import SipConfigError
from bridge.sip.messages import (
    Answered,
    Confirmed,
    Ended,
    Invited,
    KeyInfo,
    LocalMedia,
    MediaChanged,
    Presentation,
    Probed,
    Refused,
    Registered,
)
from tests.bridge.sip.engine_process import EngineProcess
from tests.phones import sip_message
from tests.phones.sip_message import Message, audio_sdp
from tests.phones.sip_phone import PhoneCall, SipPhone

PARIS = "+33975129519"
MEDIA = LocalMedia(ip="127.0.0.1", port=40100)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = _certificate(folder)
    config = SipConfig(
        port=0,
        hosts=("127.0.0.1", "::1"),
        tls_certificate=certificate,
        tls_key=key,
        trunks=(LOOPBACK, Trunk(name="paris", sources=(_net("127.0.0.9/32"),), default_number=PARIS)),
    )
    with EngineProcess(config) as running:
        yield running


def _net(text: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(text)


def _certificate(folder: Path) -> tuple[str | None, str | None]:
    if shutil.which("openssl") is None:
        return None, None
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def phone(engine: EngineProcess) -> Iterator[SipPhone]:
    with SipPhone(engine.server()) as dialler:
        yield dialler


def answered(engine: EngineProcess, phone: SipPhone, sdp: str | None = None) -> tuple[PhoneCall, Invited]:
    call = phone.dial(PARIS, sdp=sdp or audio_sdp())
    invited = engine.expect(Invited, sip_call_id=call.call_id)
    engine.order("answer", invited.call, MEDIA)
    assert call.final().status == 200
    engine.expect(Answered, call=invited.call)
    engine.expect(Confirmed, call=invited.call)
    return call, invited


def finish(engine: EngineProcess, call: PhoneCall, invited: Invited) -> Ended:
    assert call.bye().status == 200
    return engine.expect(Ended, call=invited.call)


@pytest.mark.parametrize(
    ("transport", "v6"),
    [("udp", False), ("tcp", False), ("tls", False), ("udp", True), ("tcp", True), ("tls", True)],
)
def test_a_call_over_every_transport(engine: EngineProcess, transport: str, v6: bool) -> None:
    if transport == "tls" and shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    address = "::1" if v6 else "127.0.0.1"
    with SipPhone(engine.server(transport, v6=v6), transport=transport) as phone:
        call = phone.dial(PARIS, sdp=audio_sdp(ip=address))
        invited = engine.expect(Invited, sip_call_id=call.call_id)
        assert (invited.number_id, invited.transport, invited.source_ip) == ("fr-paris", transport, address)
        assert (invited.source_port, invited.media_ip_version) == (phone.port, 6 if v6 else 4)
        engine.order("ring", invited.call)
        call.ringing()
        engine.order("answer", invited.call, LocalMedia(ip=address, port=40100))
        answer = call.final()
        assert f"c=IN IP{6 if v6 else 4} {address}\r\n" in answer.body
        assert "m=audio 40100 RTP/AVP 0 101\r\n" in answer.body
        media = engine.expect(Answered, call=invited.call).media
        assert media is not None
        assert (media.codec, media.remote_ip, media.remote_port) == (Codec.PCMU, address, 40000)
        engine.expect(Confirmed, call=invited.call)
        ended = finish(engine, call, invited)
        assert (ended.status, ended.by_remote, ended.cancelled, ended.q850) == (200, True, False, None)


def test_the_caller_and_the_dialled_number_are_told(engine: EngineProcess) -> None:
    with SipPhone(engine.server(), user="+4930123456", display_name="Ada L.") as phone:
        call = phone.dial("0033975129519", sdp=audio_sdp(), headers={"User-Agent": "Test 1"})
        invited = engine.expect(Invited, sip_call_id=call.call_id)
        assert (invited.trunk, invited.called_raw, invited.called_e164) == (
            "loopback",
            "0033975129519",
            PARIS,
        )
        assert (invited.caller_e164, invited.display_name) == ("+4930123456", "Ada L.")
        assert invited.caller_presentation is Presentation.ALLOWED
        engine.order("reject", invited.call, 404, None, 1)
        final = call.final()
        assert (final.status, final.get("Reason")) == (404, "Q.850;cause=1")
        ended = engine.expect(Ended, call=invited.call)
        assert (ended.status, ended.q850, ended.by_remote, ended.cancelled) == (404, 1, False, False)


def test_the_default_number_of_a_trunk(engine: EngineProcess) -> None:
    with SipPhone(engine.server(), host="127.0.0.9") as phone:
        call = phone.dial("conference", sdp=audio_sdp())
        invited = engine.expect(Invited, sip_call_id=call.call_id)
        assert (invited.trunk, invited.number_id) == ("paris", "fr-paris")
        engine.order("reject", invited.call, 480)
        assert call.final().status == 480


def test_hold_in_all_spellings_and_back(engine: EngineProcess, phone: SipPhone) -> None:
    call, invited = answered(engine, phone)
    steps = [
        (audio_sdp(direction="sendonly", version=2), "recvonly", (False, True)),
        (audio_sdp(version=3), "sendrecv", (True, True)),
        (audio_sdp(direction="inactive", version=4), "inactive", (False, False)),
        (audio_sdp(version=5), "sendrecv", (True, True)),
        (audio_sdp(version=6).replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"), "inactive", (False, False)),
        (audio_sdp(version=7, port=40006), "sendrecv", (True, True)),
    ]
    versions = []
    for sdp, direction, allowed in steps:
        answer = call.reinvite(sdp)
        assert answer.status == 200
        assert f"a={direction}\r\n" in answer.body
        versions.append(int(answer.body.split("\r\n")[1].split()[2]))
        media = engine.expect(MediaChanged, call=invited.call).media
        assert (media.send, media.receive) == allowed
    assert media.remote_port == 40006
    assert versions == sorted(set(versions))
    finish(engine, call, invited)


def test_a_codec_change_by_reinvite_and_by_update(engine: EngineProcess, phone: SipPhone) -> None:
    call, invited = answered(engine, phone)
    assert (
        call.reinvite(audio_sdp(version=2, formats=((9, "G722/8000"), (101, "telephone-event/8000")))).status
        == 200
    )
    assert engine.expect(MediaChanged, call=invited.call).media.codec is Codec.G722
    assert call.update(audio_sdp(version=3, formats=((8, "PCMA/8000"),))).status == 200
    media = engine.expect(MediaChanged, call=invited.call).media
    assert (media.codec, media.dtmf_payload_type) == (Codec.PCMA, None)
    assert call.update().status == 200
    finish(engine, call, invited)


def test_an_offer_we_cannot_answer_leaves_the_call_as_it_was(engine: EngineProcess, phone: SipPhone) -> None:
    call, invited = answered(engine, phone)
    assert call.reinvite(audio_sdp(version=2, formats=((3, "GSM/8000"),))).status == 488
    assert call.update(audio_sdp(version=3, formats=((3, "GSM/8000"),))).status == 488
    assert call.reinvite(audio_sdp(version=4, ip="::1")).status == 488
    assert call.info("application/dtmf", "1").status == 200
    engine.expect(KeyInfo, call=invited.call, key="1")
    finish(engine, call, invited)


def test_a_phone_that_leaves_the_offer_to_us(engine: EngineProcess, phone: SipPhone) -> None:
    late = audio_sdp(port=40020, formats=((8, "PCMA/8000"), (96, "telephone-event/8000")))
    call = phone.dial(PARIS, sdp=None, late_answer=late)
    invited = engine.expect(Invited, sip_call_id=call.call_id)
    assert invited.codecs == ()
    engine.order("answer", invited.call, MEDIA)
    assert "m=audio 40100 RTP/AVP 9 8 0 101\r\n" in call.final().body
    assert engine.expect(Answered, call=invited.call).media is None
    media = engine.expect(MediaChanged, call=invited.call).media
    assert (media.codec, media.payload_type, media.dtmf_payload_type) == (Codec.PCMA, 8, 96)
    assert (media.remote_ip, media.remote_port, media.send, media.receive) == ("127.0.0.1", 40020, True, True)
    call.late_answer = late.replace("sendrecv", "sendonly")
    assert call.reinvite(None).status == 200
    media = engine.expect(MediaChanged, call=invited.call).media
    assert (media.send, media.receive) == (False, True)
    finish(engine, call, invited)


def test_cancel_before_the_answer(engine: EngineProcess, phone: SipPhone) -> None:
    call = phone.dial(PARIS, sdp=audio_sdp())
    invited = engine.expect(Invited, sip_call_id=call.call_id)
    engine.order("ring", invited.call)
    call.ringing()
    call.cancel({"Reason": 'SIP;cause=200;text="Call completed elsewhere"'})
    assert call.final().status == 487
    ended = engine.expect(Ended, call=invited.call)
    assert (ended.status, ended.cancelled, ended.by_remote) == (487, True, True)
    assert ended.reason_text == "Call completed elsewhere"
    engine.order("answer", invited.call, MEDIA)  # too late, and harmless
    engine.until(lambda stats: stats["late_commands"] >= 1)


def test_bye_before_the_answer(engine: EngineProcess, phone: SipPhone) -> None:
    call = phone.dial(PARIS, sdp=audio_sdp())
    invited = engine.expect(Invited, sip_call_id=call.call_id)
    engine.order("ring", invited.call)
    call.to = call.ringing().get("To")
    number = call.request("BYE")
    assert call.wait(number).status == 200
    assert call.wait(1).status == 487
    ended = engine.expect(Ended, call=invited.call)
    assert (ended.status, ended.by_remote) == (487, True)


def test_reasons_travel_both_ways(engine: EngineProcess, phone: SipPhone) -> None:
    call, invited = answered(engine, phone)
    call.bye({"Reason": 'Q.850;cause=31;text="Normal, unspecified"'})
    ended = engine.expect(Ended, call=invited.call)
    assert (ended.q850, ended.reason_text, ended.by_remote) == (31, "Normal, unspecified", True)
    call, invited = answered(engine, phone)
    engine.order("hang_up", invited.call, 16, "event ended")
    assert call.wait_request("BYE").get("Reason") == 'Q.850;cause=16;text="event ended"'
    ended = engine.expect(Ended, call=invited.call)
    assert (ended.status, ended.q850, ended.reason_text, ended.by_remote) == (200, 16, "event ended", False)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_our_goodbye_uses_the_connection_of_the_call(engine: EngineProcess, transport: str) -> None:
    with SipPhone(engine.server(transport), transport=transport) as phone:
        call, invited = answered(engine, phone)
        engine.order("hang_up", invited.call, 16, "")
        assert call.wait_request("BYE").get("Reason") == "Q.850;cause=16"
        assert not engine.expect(Ended, call=invited.call).by_remote


def test_hanging_up_before_the_answer_refuses(engine: EngineProcess, phone: SipPhone) -> None:
    call = phone.dial(PARIS, sdp=audio_sdp())
    invited = engine.expect(Invited, sip_call_id=call.call_id)
    engine.order("hang_up", invited.call, 41, "node stops")
    final = call.final()
    assert final.status == 480
    assert engine.expect(Ended, call=invited.call).q850 == 41


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5"),
     ("application/dtmf-relay", "Signal=*\r\nDuration=250\r\n", "*"),
     ("application/dtmf", "#", "#")],
)  # fmt: skip
def test_keys_as_info(engine: EngineProcess, phone: SipPhone, kind: str, body: str, key: str) -> None:
    call, invited = answered(engine, phone)
    assert call.info(kind, body).status == 200
    assert engine.expect(KeyInfo, call=invited.call).key == key
    finish(engine, call, invited)


def test_options_are_answered_inside_and_outside_a_call(engine: EngineProcess, phone: SipPhone) -> None:
    answer = phone.options().wait(1)
    assert answer.status == 200
    assert "INVITE" in answer.get("Allow")
    assert "application/sdp" in answer.get("Accept")
    call, invited = answered(engine, phone)
    assert call.wait(call.request("OPTIONS")).status == 200
    finish(engine, call, invited)


def test_transfers_and_takeovers_are_declined(engine: EngineProcess, phone: SipPhone) -> None:
    call, invited = answered(engine, phone)
    refer = call.request("REFER", headers={"Refer-To": "<sip:+19005550100@127.0.0.1:9>"})
    assert call.wait(refer).status == 603
    tag = sip_message.tag_of(call.to)
    mine = sip_message.tag_of(call.sender)
    thief = phone.dial(
        PARIS, sdp=audio_sdp(), headers={"Replaces": f"{call.call_id};to-tag={tag};from-tag={mine}"}
    )
    assert thief.final().status == 603
    assert call.info("application/dtmf", "1").status == 200
    finish(engine, call, invited)


def test_session_timers(engine: EngineProcess, phone: SipPhone) -> None:
    call = phone.dial(
        PARIS, sdp=audio_sdp(), headers={"Supported": "timer", "Session-Expires": "600;refresher=uac"}
    )
    invited = engine.expect(Invited, sip_call_id=call.call_id)
    engine.order("answer", invited.call, MEDIA)
    assert call.final().get("Session-Expires").replace(" ", "") == "600;refresher=uac"
    finish(engine, call, invited)


def test_too_short_a_session_interval_is_422_and_no_call(engine: EngineProcess, phone: SipPhone) -> None:
    call = phone.dial(PARIS, sdp=audio_sdp(), headers={"Supported": "timer", "Session-Expires": "30"})
    final = call.final()
    assert (final.status, final.get("Min-SE")) == (422, "90")
    call = phone.dial(PARIS, sdp=audio_sdp())
    assert engine.expect(Invited).sip_call_id == call.call_id
    call.cancel()
    assert call.final().status == 487


def test_reliable_provisional_responses(engine: EngineProcess, phone: SipPhone) -> None:
    call = phone.dial(PARIS, sdp=audio_sdp(), headers={"Require": "100rel", "Supported": "100rel"})
    invited = engine.expect(Invited, sip_call_id=call.call_id)
    engine.order("ring", invited.call)
    ringing = call.ringing()
    assert ringing.get("RSeq")
    call.to = ringing.get("To")
    number = call.request("PRACK", headers={"RAck": f"{ringing.get('RSeq')} 1 INVITE"})
    assert call.wait(number).status == 200
    engine.order("answer", invited.call, MEDIA)
    assert call.wait(1).status == 200
    engine.expect(Confirmed, call=invited.call)
    finish(engine, call, invited)


def test_probing_a_phone_that_lives_and_one_that_forgot(engine: EngineProcess, phone: SipPhone) -> None:
    call, invited = answered(engine, phone)
    engine.order("probe", invited.call)
    assert engine.expect(Probed, call=invited.call).alive
    call.respond = lambda request: 481 if request.method == "OPTIONS" else 200
    engine.order("probe", invited.call)
    assert not engine.expect(Probed, call=invited.call).alive
    ended = engine.expect(Ended, call=invited.call)
    assert (ended.status, ended.by_remote) == (481, False)


def test_codec_mismatch_and_encrypted_offers_are_488(engine: EngineProcess, phone: SipPhone) -> None:
    for sdp in (
        audio_sdp(formats=((3, "GSM/8000"), (18, "G729/8000"))),
        audio_sdp().replace("RTP/AVP", "RTP/SAVP"),
        audio_sdp().replace("m=audio", "m=video"),
    ):
        call = phone.dial(PARIS, sdp=sdp)
        assert call.final().status == 488
        refused = engine.expect(Refused, sip_call_id=call.call_id)
        assert (refused.status, refused.slug, refused.trunk) == (488, "no-common-codec", "loopback")
        assert refused.called_e164 == PARIS


def test_video_beside_audio_is_refused_in_place(engine: EngineProcess, phone: SipPhone) -> None:
    sdp = audio_sdp(extra=("m=video 5004 RTP/AVP 96", "a=rtpmap:96 H264/90000"))
    call, invited = answered(engine, phone, sdp)
    body = call.final().body
    assert [line.split(" ")[:2] for line in body.split("\r\n") if line.startswith("m=")] == [
        ["m=audio", "40100"],
        ["m=video", "0"],
    ]
    finish(engine, call, invited)


def test_thirty_calls_in_the_same_ten_milliseconds(engine: EngineProcess, phone: SipPhone) -> None:
    started_s = time.monotonic()
    calls = [phone.dial(PARIS, sdp=audio_sdp(port=41000 + 2 * n)) for n in range(30)]
    assert time.monotonic() - started_s < 0.5
    ours = [engine.expect(Invited, sip_call_id=call.call_id).call for call in calls]
    for number in ours:
        engine.order("answer", number, MEDIA)
    for call in calls:
        assert call.final().status == 200
    for call in calls:
        assert call.bye().status == 200
    for number in ours:
        assert engine.expect(Ended, call=number).status == 200
    assert engine.stats()["active"] == 0


def test_a_repeated_invite_is_one_call(engine: EngineProcess, phone: SipPhone) -> None:
    call = phone.dial(PARIS, sdp=audio_sdp())
    assert call._invite is not None
    phone.send(call._invite)
    phone.send(call._invite)
    invited = engine.expect(Invited, sip_call_id=call.call_id)
    engine.order("answer", invited.call, MEDIA)
    assert call.final().status == 200
    assert finish(engine, call, invited).status == 200
    assert not [event for event in engine.events if isinstance(event, Invited)]


def test_no_common_codec_is_counted_and_nothing_leaks(engine: EngineProcess) -> None:
    stats = engine.stats()
    assert (stats["active"], stats["callback_errors"]) == (0, 0)
    assert stats["answered"] > 10


# -- engines with settings of their own --


def test_strangers_get_403_counted_and_slowed() -> None:
    config = SipConfig(
        port=0, trunks=(Trunk(name="far", sources=(_net("192.0.2.0/24"),)),), unknown_refusals_max=2
    )
    with EngineProcess(config) as engine, SipPhone(engine.server()) as phone:
        delays = []
        for _ in range(4):
            call = phone.dial(PARIS, sdp=audio_sdp())
            assert call.final().status == 403
            delays.append(time.monotonic() - call.sent_at_s)
            refused = engine.expect(Refused, sip_call_id=call.call_id)
            assert (refused.slug, refused.trunk, refused.source_ip) == ("not-allowed", "", "127.0.0.1")
        assert max(delays[:2]) < 0.2
        assert 0.25 <= delays[2] < delays[3]
        assert delays[3] >= 0.5
        stats = engine.stats()
        assert (stats["strangers"], stats["active"]) == (4, 0)
        assert phone.options().wait(1).status == 200


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_a_digest_trunk(algorithm: str) -> None:
    trunk = Trunk(name="digest", user="4711", password="s3cret", country="FR")
    with EngineProcess(SipConfig(port=0, trunks=(trunk,))) as engine, SipPhone(engine.server()) as phone:
        call = phone.dial("0975129519", sdp=audio_sdp(), credentials=("4711", "s3cret"), algorithm=algorithm)
        invited = engine.expect(Invited, sip_call_id=call.call_id)
        assert (invited.trunk, invited.number_id) == ("digest", "fr-paris")
        engine.order("answer", invited.call, MEDIA)
        assert call.wait(2).status == 200
        engine.expect(Answered)
        engine.expect(Confirmed)
        finish(engine, call, invited)
        wrong = phone.dial(PARIS, sdp=audio_sdp(), credentials=("4711", "guess"), algorithm=algorithm)
        assert wrong.wait(2).status == 403
        assert engine.expect(Refused, sip_call_id=wrong.call_id).slug == "auth-failed"
        none = phone.dial(PARIS, sdp=audio_sdp())
        assert none.final().status == 401
        assert len(none.final().all("WWW-Authenticate")) == 2
        assert not engine.events


def test_full_is_503_with_retry_after_and_a_free_line_serves_again() -> None:
    config = SipConfig(port=0, max_calls=2, retry_after_s=7)
    with EngineProcess(config, answer_at_once=True) as engine, SipPhone(engine.server()) as phone:
        assert engine.lines == 2
        calls = [phone.dial(PARIS, sdp=audio_sdp()) for _ in range(2)]
        for call in calls:
            assert call.final().status == 200
        third = phone.dial(PARIS, sdp=audio_sdp())
        assert (third.final().status, third.final().get("Retry-After")) == (503, "7")
        assert engine.expect(Refused).slug == "bridge-full"
        calls[0].bye()
        engine.expect(Ended)
        assert phone.dial(PARIS, sdp=audio_sdp()).final().status == 200


def test_stopping_says_goodbye_to_every_call() -> None:
    with EngineProcess(SipConfig(port=0), answer_at_once=True) as engine, SipPhone(engine.server()) as phone:
        calls = [phone.dial(PARIS, sdp=audio_sdp()) for _ in range(3)]
        for call in calls:
            call.final()
        engine.stop()
        for call in calls:
            assert 'text="shutdown"' in call.wait_request("BYE").get("Reason")
        assert not engine.alive


def test_a_listener_that_fails_does_not_stop_the_engine() -> None:
    with EngineProcess(SipConfig(port=0), faulty=True) as engine, SipPhone(engine.server()) as phone:
        assert phone.dial(PARIS, sdp=audio_sdp()).final().status == 500
        assert phone.options().wait(1).status == 200
        stats = engine.stats()
        assert (stats["callback_errors"], stats["active"]) == (1, 0)


def test_a_port_that_is_taken_is_said_at_start() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(SipConfigError, match=f"127.0.0.1 port {port}"),
            EngineProcess(SipConfig(port=port)),
        ):
            pass


class Registrar(threading.Thread):
    """A provider's registrar: challenges once, then accepts (or always refuses)."""

    def __init__(self, *, accept: bool) -> None:
        super().__init__(daemon=True)
        self.accept = accept
        self.seen: list[Message] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                data, source = self.socket.recvfrom(65536)
            except OSError:
                return
            request = sip_message.parse(data)
            if request.method != "REGISTER":
                continue
            self.seen.append(request)
            good = bool(request.get("Authorization")) and self.accept
            status = "200 OK" if good else ("401 Unauthorized" if self.accept else "403 Forbidden")
            reply = Message(f"SIP/2.0 {status}")
            reply.headers = [(n, v) for n, v in request.headers if n in ("Via", "From", "Call-ID", "CSeq")]
            reply.headers.append(("To", request.get("To") + ";tag=r"))
            if good:
                reply.headers.append(("Contact", request.get("Contact") + ";expires=300"))
            elif self.accept:
                reply.headers.append(
                    ("WWW-Authenticate", 'Digest realm="p", nonce="abc", algorithm=MD5, qop="auth"')
                )
            self.socket.sendto(reply.encode(), source)


@pytest.mark.parametrize("accept", [True, False])
def test_registration_to_a_provider(accept: bool) -> None:
    registrar = Registrar(accept=accept)
    registrar.start()
    trunk = Trunk(
        name="provider",
        register=Registration(registrar=f"127.0.0.1:{registrar.port}", user="4711", password="pw"),
    )
    with EngineProcess(SipConfig(port=0, trunks=(trunk,))) as engine, SipPhone(engine.server()) as phone:
        registered = engine.expect(Registered)
        assert (registered.trunk, registered.ok) == ("provider", accept)
        assert registered.status == (200 if accept else 403)
        assert "<sip:4711@127.0.0.1" in registrar.seen[-1].get("From")
        if accept:
            assert 'username="4711"' in registrar.seen[-1].get("Authorization")
            call = phone.dial(
                "4711", sdp=audio_sdp()
            )  # the provider's address is trusted by its registration
            assert engine.expect(Invited, sip_call_id=call.call_id).trunk == "provider"
        else:
            assert phone.dial("4711", sdp=audio_sdp()).final().status == 403
    registrar.socket.close()


@pytest.mark.skipif(shutil.which("sipp") is None, reason="sip-tester is not installed")
@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_an_independent_phone(transport: str, tmp_path: Path) -> None:
    """SIPp's own caller, forty calls at twenty a second: every one answered, acknowledged and ended."""
    with EngineProcess(SipConfig(port=0), answer_at_once=True) as engine:
        host, port = engine.server("udp" if transport == "u1" else "tcp")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((host, 0))
            local = free.getsockname()[1]
        command = (
            f"sipp -sn uac {host}:{port} -t {transport} -i {host} -p {local} -s {PARIS}"
            " -m 40 -r 20 -d 200 -nostdin -timeout 20s -timeout_error"
        )
        done = subprocess.run(
            command.split(), cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]
        for _ in range(40):
            assert engine.expect(Ended).status == 200
