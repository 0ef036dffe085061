"""One call as pjsua2 sees it: callbacks on the pjsua thread become facts for the engine.

Every callback is fenced: an exception in it would otherwise travel through C++ and take the pump down. What
goes wrong is counted, and the call ends with 500.
"""
# ruff: noqa: N802 - pjsua2's names

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pjsua2 as pj

from bridge.sip.errors import RemoteError
from bridge.sip.headers import parse_request
from bridge.sip.keys import key_of_info
from bridge.sip.messages import (
    Answered,
    CallerFacts,
    Confirmed,
    Ended,
    KeyInfo,
    LocalMedia,
    MediaChanged,
    Negotiated,
    Probed,
    SipCallId,
)
from bridge.sip.negotiation import (
    SdpWriter,
    choose_codecs,
    choose_stream,
    is_unspecified,
    negotiated,
)
from bridge.sip.reason import NO_REASON, Reason, format_reason, parse_reason
from bridge.sip.sdp import Session, parse_sdp

if TYPE_CHECKING:
    from bridge.sip.engine import SipEngine

_DEAD = frozenset({408, 481, 503})


class SipCall(pj.Call):  # type: ignore[misc]
    """A call that reached us; the engine keeps it until it is over."""

    def __init__(self, account: pj.Account, pj_id: int, *, call: SipCallId, engine: SipEngine) -> None:
        super().__init__(account, pj_id)
        self.call = call
        self.pj_id = pj_id
        self.facts: CallerFacts | None = None
        """Set when the call was announced by `Invited`; its end is then announced too."""
        self.offer: Session | None = None
        """The INVITE's session description, None when it had none."""
        self.local: LocalMedia | None = None
        self.media: Negotiated | None = None
        self.over = False
        self._engine = engine
        self._writer = SdpWriter()
        self._next: Negotiated | None = None
        self._offered = False
        self.answered = False
        self._ending: tuple[int, int | None, str] | None = None
        self._reason: Reason = NO_REASON
        self._cancelled = False
        self._left = False

    # -- what the engine orders --

    def respond(self, status: int, headers: dict[str, str] | None = None, *, q850: int | None = None) -> None:
        """Send a response to the INVITE; a final refusal ends the call."""
        parameters = pj.CallOpParam(True)
        parameters.statusCode = status
        all_headers = dict(headers or {})
        if q850 is not None:
            all_headers["Reason"] = format_reason(q850)
        _add_headers(parameters.txOption, all_headers)
        if status >= 300:
            self._ending = (status, q850, "")
        self.answer(parameters)

    def challenge(self, challenges: list[str]) -> None:
        """401 with one WWW-Authenticate field per algorithm."""
        parameters = pj.CallOpParam(True)
        parameters.statusCode = 401
        for value in challenges:
            _add_header(parameters.txOption, "WWW-Authenticate", value)
        self._ending = (401, None, "")
        self.answer(parameters)

    def accept(self, local: LocalMedia) -> None:
        """Answer with 200 and our session description.

        pjsip made a description of its own when the INVITE came in; it is replaced here. When the phone
        left the offer to us, pjsip makes it only now, and `_describe` replaces it.
        """
        self.local = local
        parameters = pj.CallOpParam(True)
        parameters.statusCode = 200
        if self.offer is not None:
            reply = self._writer.answer(self.offer, local=local, preference=self._engine.preference)
            parameters.sdp.wholeSdp = reply.text
            self._next = reply.media
        self.answer(parameters)

    def finish(self, *, status: int, q850: int, text: str) -> None:
        """End the call: BYE when it is up, else `status`."""
        parameters = pj.CallOpParam(True)
        parameters.statusCode = status
        _add_header(parameters.txOption, "Reason", format_reason(q850, text))
        self._ending = (status, q850, text)
        self.hangup(parameters)

    def ask_alive(self) -> None:
        """OPTIONS inside the dialog; the answer, any answer but 'no such call', proves life."""
        parameters = pj.CallSendRequestParam()
        parameters.method = "OPTIONS"
        self.sendRequest(parameters)

    def refused_by_library(self, status: int) -> None:
        """pjsip refused the INVITE after we had seen it, and will not tell us again."""
        self._over(status, "")

    # -- what pjsua2 reports --

    def onCallSdpCreated(self, prm: Any) -> None:
        """Put our description in place of pjsua2's, whose media transport is a stand-in."""
        self._fenced(lambda: self._describe(prm))

    def onCallRxOffer(self, prm: Any) -> None:
        """A re-INVITE or UPDATE with an offer: refused with 488 when we could not answer it."""

        def judge() -> None:
            try:
                _, stream = choose_stream(parse_sdp(prm.offer.wholeSdp))
                codec, payload_type = choose_codecs(stream, self._engine.preference)[0]
                media = negotiated(stream, codec=codec, payload_type=payload_type)
            except RemoteError:
                prm.statusCode = 488
                return
            if self.local is not None and (":" in media.remote_ip) != (":" in self.local.ip):
                prm.statusCode = 488  # the mixer's port cannot move from IPv4 to IPv6 in the middle of a call

        self._fenced(judge)

    def onCallState(self, prm: Any) -> None:
        """Answered, confirmed, over."""
        self._fenced(lambda: self._state(prm))

    def onCallMediaState(self, prm: Any) -> None:  # noqa: ARG002
        """Offer and answer are complete."""
        self._fenced(self._settle)

    def onCallTsxState(self, prm: Any) -> None:
        """Requests inside the call: INFO from the phone, the answer to our OPTIONS, the cause in a BYE."""
        self._fenced(lambda: self._transaction(prm))

    def onDtmfEvent(self, prm: Any) -> None:
        """Keys in RTP do not come here, and INFO is read in `_transaction`; nothing to do."""

    def onCallTransferRequest(self, prm: Any) -> None:
        """REFER would make us dial out on a caller's word: declined."""
        prm.statusCode = 603

    def onCallReplaceRequest(self, prm: Any) -> None:
        """INVITE with Replaces would hand a call to whoever guesses its tags: declined."""
        prm.statusCode = 603

    def _fenced(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self._engine.callback_failed(self, error)

    def _describe(self, prm: Any) -> None:
        if self.local is None:
            return
        offer = prm.remSdp.wholeSdp
        if not offer:
            prm.sdp.wholeSdp = self._writer.offer(local=self.local, preference=self._engine.preference)
            self._offered = True
            return
        reply = self._writer.answer(parse_sdp(offer), local=self.local, preference=self._engine.preference)
        prm.sdp.wholeSdp = reply.text
        self._next = reply.media
        self._offered = False

    def _settle(self) -> None:
        if self.over or not self.answered:
            return
        media = self._late_answer() if self._offered else self._next
        if media is not None and media != self.media:
            self.media = media
            self._engine.stats_now.media_changes += 1
            self._engine.emit(MediaChanged(call=self.call, media=media))

    def _late_answer(self) -> Negotiated | None:
        """What the phone answered to our own offer; its text never reaches us, pjsip's reading of it does."""
        info = self.getStreamInfo(0)
        codec = self._engine.codec_named(info.codecName)
        if codec is None:
            return self.media
        ip, port = self._engine.split(info.remoteRtpAddress)
        _, rtcp_port = self._engine.split(info.remoteRtcpAddress)
        dead = port == 0 or is_unspecified(ip)
        return Negotiated(
            codec=codec,
            payload_type=info.txPt,
            dtmf_payload_type=info.audTxEventPt if info.audTxEventPt >= 0 else None,
            remote_ip=ip,
            remote_port=port,
            remote_rtcp_port=rtcp_port or min(port + 1, 65535),
            ptime_ms=20,
            send=not dead and bool(info.dir & pj.PJMEDIA_DIR_ENCODING),
            receive=not dead and bool(info.dir & pj.PJMEDIA_DIR_DECODING),
        )

    def _state(self, prm: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONNECTING:
            self.answered = True
            self.media = self._next
            if self.facts is not None:
                self._engine.stats_now.answered += 1
                self._engine.emit(Answered(call=self.call, media=self.media))
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            if self.facts is not None:
                self._engine.emit(Confirmed(call=self.call))
            if self._offered:
                self._settle()
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._hear_reason(prm.e)
            self._over(info.lastStatusCode, info.lastReason)

    def _over(self, status: int, text: str) -> None:
        if self.over:
            return
        self.over = True
        self._engine.forget(self)
        if self.facts is None:
            return
        if self._ending is not None:
            code, q850, own_text = self._ending
            ended = Ended(
                call=self.call,
                status=200 if self.answered else code,
                q850=q850,
                reason_text=own_text,
                by_remote=False,
                cancelled=False,
            )
        else:
            gone = self._left or self._cancelled
            if gone:
                status = 200 if self.answered else 487
            ended = Ended(
                call=self.call,
                status=status,
                q850=self._reason.q850,
                reason_text=self._reason.text or ("" if gone else text),
                by_remote=gone,
                cancelled=gone and not self.answered,
            )
        self._engine.stats_now.ended += 1
        self._engine.emit(ended)

    def _hear_reason(self, event: Any) -> None:
        if event.type != pj.PJSIP_EVENT_TSX_STATE:
            return
        state = event.body.tsxState
        if state.type != pj.PJSIP_EVENT_RX_MSG or state.tsx.role != pj.PJSIP_ROLE_UAS:
            return
        method = state.tsx.method
        if method in ("BYE", "CANCEL"):
            self._left = method == "BYE"
            self._cancelled = self._cancelled or method == "CANCEL"
            self._reason = parse_reason(parse_request(state.src.rdata.wholeMsg).all("reason"))

    def _transaction(self, prm: Any) -> None:
        state = prm.e.body.tsxState
        method = state.tsx.method
        if method == "INVITE" or self.over:
            return
        if state.tsx.role == pj.PJSIP_ROLE_UAC:
            done = (pj.PJSIP_TSX_STATE_COMPLETED, pj.PJSIP_TSX_STATE_TERMINATED)
            if method == "OPTIONS" and state.tsx.state in done and state.prevState not in done:
                self._engine.emit(Probed(call=self.call, alive=state.tsx.statusCode not in _DEAD))
            return
        if state.type != pj.PJSIP_EVENT_RX_MSG or state.tsx.state != pj.PJSIP_TSX_STATE_TRYING:
            return
        if method == "INFO":
            request = parse_request(state.src.rdata.wholeMsg)
            key = key_of_info(request.first("content-type"), request.body)
            if key is not None and self.facts is not None:
                self._engine.stats_now.keys += 1
                self._engine.emit(KeyInfo(call=self.call, key=key))
        else:
            self._hear_reason(prm.e)


def _add_headers(option: Any, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        _add_header(option, name, value)


def _add_header(option: Any, name: str, value: str) -> None:
    header = pj.SipHeader()
    header.hName = name
    header.hValue = value
    option.headers.push_back(header)
