"""Messages to break parsers with: the ideas of RFC 4475 (SIP torture tests) for our addresses, and others.

Each entry: name, section, the bytes, and whether it is a legal INVITE that must not be refused as malformed.
`{uri}`, `{via}`, `{port}` and so on are filled in by the test. What counts in all of them is that the next good
call works.
"""
# ruff: noqa: E501 - messages as they go over the wire

from __future__ import annotations

from dataclasses import dataclass

from tests.phones.sip_message import audio_sdp


@dataclass(frozen=True, slots=True, kw_only=True)
class Torture:
    """One message."""

    name: str
    section: str
    """Of RFC 4475; empty for our own."""
    data: bytes
    call: bool = False
    """Legal and an INVITE: we must answer something other than 400."""


_SDP = audio_sdp()


def _message(
    name: str,
    section: str,
    head: str,
    *,
    body: str = "",
    call: bool = False,
    length: int | None = None,
) -> Torture:
    text = head.strip("\n").replace("\n", "\r\n")
    if "{length}" in text:
        text = text.replace("{length}", str(len(body.encode()) if length is None else length))
    data = f"{text}\r\n\r\n{body}".encode()
    return Torture(name=name, section=section, data=data, call=call)


def _invite(extra: str = "", *, start: str = "INVITE {uri} SIP/2.0", skip: tuple[str, ...] = ()) -> str:
    fields = {
        "Via": "{via}",
        "Max-Forwards": "70",
        "From": "<sip:+12025550123@example.com>;tag=4711",
        "To": "<{uri}>",
        "Call-ID": "{call_id}",
        "CSeq": "1 INVITE",
        "Contact": "<sip:phone@127.0.0.1:{port}>",
        "Content-Type": "application/sdp",
        "Content-Length": "{length}",
    }
    lines = [start, *(f"{name}: {value}" for name, value in fields.items() if name not in skip)]
    return "\n".join([*lines, *extra.strip("\n").split("\n")] if extra.strip() else lines)


_WSINV = """
INVITE {uri};unknownparam SIP/2.0
TO :
 {uri} ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: {call_id}
Content-Length   : {length}
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    127.0.0.1:{port};branch={branch}
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33
"""

MESSAGES: tuple[Torture, ...] = (
    # -- 3.1.1 valid messages --
    _message("wsinv: white space and folding everywhere", "3.1.1.1", _WSINV, body=_SDP, call=False),
    _message(
        "intmeth: unusual characters in every token",
        "3.1.1.2",
        """
!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0
Via: {via}
To: "BEL:\\\x07 NUL:\\\x01 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>
From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%="\u043f\u0440\u0438\u0432\u0435\u0442";tag=_token~1'+`*%!-.
Call-ID: {call_id}
CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_`'~:\ufeff\u5927\u505c\u96fb
Content-Length: 0
""",
    ),
    _message(
        "esc01: escaped characters in the URI",
        "3.1.1.3",
        _invite(start="INVITE sip:sips%3Auser%40example.com@127.0.0.1 SIP/2.0"),
        body=_SDP,
        call=True,
    ),
    _message(
        "escnull: escaped nulls in URIs",
        "3.1.1.4",
        """
REGISTER sip:example.com SIP/2.0
To: sip:null-%00-null@example.com
From: sip:null-%00-null@example.com;tag=839923423
Max-Forwards: 70
Call-ID: {call_id}
CSeq: 14398234 REGISTER
Via: {via}
Contact: <sip:%00@host5.example.com>
Contact: <sip:%00%00@host5.example.com>
L:0
""",
    ),
    _message(
        "esc02: percent signs that escape nothing",
        "3.1.1.5",
        """
RE%47IST%45R sip:registrar.example.com SIP/2.0
To: "%Z%45" <sip:resource@example.com>
From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23
Call-ID: {call_id}
Via: {via}
CSeq: 29344 RE%47IST%45R
Max-Forwards: 70
Contact: <sip:alias1@host1.example.com>
C%6Fntact: <sip:alias2@host2.example.com>
l: 0
""",
    ),
    _message(
        "lwsdisp: no white space between name and bracket",
        "3.1.1.6",
        """
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: {call_id}
CSeq: 60 OPTIONS
Via: {via}
l: 0
""",
    ),
    _message(
        "longreq: long values",
        "3.1.1.7",
        _invite(
            f"Unknown-{'Long' * 20}: unknown-{'long' * 20}-value\n"
            f"Subject: {'x' * 1500}\n"
            f"Via: SIP/2.0/TCP sip33.example.com;branch=z9hG4bK{'y' * 60}\n"
            f"Unknown: {'very' * 100}",
            skip=("From",),
        )
        + f"\nFrom: sip:{'amazinglylongcallername' * 5}@example.net;tag=12{'982' * 50}424",
        body=_SDP,
        call=True,
    ),
    _message(
        "dblreq: a second message behind the first in one datagram",
        "3.1.1.8",
        """
REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=43251j3j324
Max-Forwards: 8
I: {call_id}
Contact: sip:j.user@host.example.com
CSeq: 8 REGISTER
Via: {via}
Content-Length: 0
""",
        body="INVITE sip:joe@example.com SIP/2.0\r\nt: sip:joe@example.com\r\nContent-Length: 9999\r\n\r\nv=0\r\n",
    ),
    _message(
        "semiuri: a semicolon in the user part",
        "3.1.1.9",
        """
OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Call-ID: {call_id}
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime,
        multipart/mixed, multipart/signed,
        message/sip, message/sipfrag
Via: {via}
l: 0
""",
    ),
    _message(
        "transports: Via with varied and unknown transports",
        "3.1.1.10",
        """
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: <sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: {call_id}
CSeq: 60 OPTIONS
Via: {via}
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
l: 0
""",
    ),
    _message(
        "mpart01: a multipart body with a binary part",
        "3.1.1.11",
        """
MESSAGE sip:kumiko@example.org SIP/2.0
Via: {via}
Max-Forwards: 70
Route: <sip:127.0.0.1:5080>
To: <sip:kumiko@example.org>
From: <sip:fluffy@example.com>;tag=2fb0dcc9
Call-ID: {call_id}
CSeq: 1 MESSAGE
Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
Content-Length: {length}
""",
        body="--7a9cbec02ceef655\r\nContent-Type: text/plain\r\n\r\nHello\r\n--7a9cbec02ceef655\r\n"
        "Content-Type: application/octet-stream\r\n\r\n\x00\x01\x02\x1f\r\n--7a9cbec02ceef655--",
    ),
    _message(
        "unreason: a response with an unusual reason phrase",
        "3.1.1.12",
        """
SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e \u0434\u0435\u0432\u044f\u043d\u043e\u0441\u0442\u043e
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Call-ID: {call_id}
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 0
""",
    ),
    _message(
        "noreason: a response without a reason phrase",
        "3.1.1.13",
        """
SIP/2.0 100\x20
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: {call_id}
CSeq: 35 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
""",
    ),
    # -- 3.1.2 invalid messages --
    _message(
        "badinv01: extraneous separators",
        "3.1.2.1",
        """
INVITE {uri} SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=134161461246
Max-Forwards: 7
Call-ID: {call_id}
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;;,;,,
Contact: "Joe" <sip:joe@example.org>;;;;
Content-Length: {length}
Content-Type: application/sdp
""",
        body=_SDP,
    ),
    _message("clerr: Content-Length larger than the message", "3.1.2.2", _invite(), body=_SDP, length=9999),
    _message("ncl: negative Content-Length", "3.1.2.3", _invite(), body=_SDP, length=-999),
    _message(
        "scalar02: overlarge numbers in a request",
        "3.1.2.4",
        """
REGISTER sip:example.com SIP/2.0
Via: {via}
To: <sip:user@example.com>
From: <sip:user@example.com>;tag=239232jh3
CSeq: 36893488147419103232 REGISTER
Call-ID: {call_id}
Max-Forwards: 300
Expires: 10000000000000000000000000000000000
Contact: <sip:user@host129.example.com>;expires=280297596632815
Content-Length: 0
""",
    ),
    _message(
        "scalarlg: overlarge numbers in a response",
        "3.1.2.5",
        """
SIP/2.0 503 Service Unavailable
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129
To: <sip:user@example.com>
From: <sip:other@example.net>;tag=2easdjfejw
CSeq: 9292394834772304023312 OPTIONS
Call-ID: {call_id}
Retry-After: 949302838503028349304023988
Warning: 1812 overture "In Progress"
Content-Length: 0
""",
    ),
    _message(
        "quotbal: an unterminated quoted string",
        "3.1.2.6",
        _invite(skip=("To",)) + '\nTo: "Mr. J. User <sip:j.user@example.com>',
        body=_SDP,
    ),
    _message(
        "ltgtruri: brackets around the Request-URI",
        "3.1.2.7",
        _invite(start="INVITE <{uri}> SIP/2.0"),
        body=_SDP,
    ),
    _message(
        "lwsruri: white space in the Request-URI",
        "3.1.2.8",
        _invite(start="INVITE sip:user@127.0.0.1; lr SIP/2.0"),
        body=_SDP,
    ),
    _message(
        "lwsstart: several spaces in the start line",
        "3.1.2.9",
        _invite(start="INVITE  {uri}  SIP/2.0"),
        body=_SDP,
    ),
    _message(
        "trws: white space at the end of the start line",
        "3.1.2.10",
        _invite(start="INVITE {uri} SIP/2.0  "),
        body=_SDP,
    ),
    _message(
        "escruri: escaped headers in the Request-URI",
        "3.1.2.11",
        _invite(start="INVITE {uri}?Route=%3Csip:example.com%3E SIP/2.0"),
        body=_SDP,
    ),
    _message(
        "baddate: a time zone other than GMT",
        "3.1.2.12",
        _invite("Date: Fri, 01 Jan 2010 16:00:00 EST"),
        body=_SDP,
        call=True,
    ),
    _message(
        "regbadct: unbracketed URI with parameters in Contact",
        "3.1.2.13",
        _invite("Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E"),
        body=_SDP,
    ),
    _message(
        "badaspec: an @ in an unquoted display name",
        "3.1.2.14",
        _invite(skip=("To",)) + "\nTo: Watson, Thomas <sip:t.watson@example.org>",
        body=_SDP,
    ),
    _message(
        "baddn: a display name that is no token",
        "3.1.2.15",
        _invite(skip=("From",)) + "\nFrom: Bell, Alexander <sip:a.g.bell@example.com>;tag=43",
        body=_SDP,
    ),
    _message(
        "badvers: an unknown protocol version", "3.1.2.16", _invite(start="INVITE {uri} SIP/7.0"), body=_SDP
    ),
    _message(
        "mismatch01: start line and CSeq disagree",
        "3.1.2.17",
        _invite(start="OPTIONS {uri} SIP/2.0"),
        body=_SDP,
    ),
    _message(
        "mismatch02: unknown method, CSeq disagrees",
        "3.1.2.18",
        _invite(start="NEWMETHOD {uri} SIP/2.0"),
        body=_SDP,
    ),
    _message(
        "bigcode: a response code that is none",
        "3.1.2.19",
        """
SIP/2.0 4294967301 better not break the receiver
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: {call_id}
CSeq: 353494 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
""",
    ),
    # -- 3.2 transaction layer, 3.3 application layer, 3.4 backward compatibility --
    _message(
        "badbranch: a branch that is only the cookie",
        "3.2.1",
        _invite(skip=("Via",)) + "\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK",
        body=_SDP,
    ),
    _message(
        "insuf: required fields are missing",
        "3.3.1",
        "INVITE {uri} SIP/2.0\nCSeq: 193942 INVITE\nVia: {via}\nContent-Type: application/sdp\nContent-Length: {length}",
        body=_SDP,
    ),
    _message(
        "unkscm: a URI of an unknown scheme",
        "3.3.2",
        _invite(start="INVITE nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"),
        body=_SDP,
    ),
    _message(
        "novelsc: a URI of a known scheme that is not SIP's",
        "3.3.3",
        _invite(start="INVITE soap.beep://192.0.2.103:3002 SIP/2.0"),
        body=_SDP,
    ),
    _message(
        "unksm2: unknown schemes in To and From",
        "3.3.4",
        _invite(skip=("To", "From")) + "\nTo: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233",
        body=_SDP,
    ),
    _message(
        "bext01: extensions that nobody knows are required",
        "3.3.5",
        _invite(
            "Require: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis"
        ),
        body=_SDP,
        call=True,
    ),
    _message(
        "invut: a body of unknown type",
        "3.3.6",
        _invite(skip=("Content-Type",)) + "\nContent-Type: application/unknownformat",
        body="<audio><pcmu port='443'/></audio>",
    ),
    _message(
        "regaut01: credentials of an unknown scheme (pjsip drops these, see docs/divergences.md)",
        "3.3.7",
        _invite("Authorization: NoOneKnowsThisScheme opaque-data=here"),
        body=_SDP,
        call=False,
    ),
    _message(
        "multi01: single fields given several times",
        "3.3.8",
        _invite(
            "CSeq: 5 INVITE\nCall-ID: other\nFrom: sip:x@y;tag=3\nTo: sip:z@y\nMax-Forwards: 5\nContact: <sip:b@c>"
        ),
        body=_SDP,
    ),
    _message("mcl01: two Content-Length fields", "3.3.9", _invite("Content-Length: 5"), body=_SDP),
    _message(
        "bcast: a 200 with a broadcast Via",
        "3.3.10",
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\nCall-ID: {call_id}\nCSeq: 35 INVITE\nFrom: sip:user@example.com;tag=11141343\nTo: sip:user@example.edu;tag=2229\nContent-Length: 0",
    ),
    _message(
        "zeromf: Max-Forwards 0",
        "3.3.11",
        "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=3ghsd41\nCall-ID: {call_id}\nCSeq: 39234321 OPTIONS\nVia: {via}\nMax-Forwards: 0\nContent-Length: 0",
    ),
    _message(
        "cparam01: Contact parameters of unknown meaning",
        "3.3.12",
        _invite("Contact: sip:+19725552222@gw1.example.net;unknownparam"),
        body=_SDP,
    ),
    _message(
        "sdp01: a description in a type we did not offer",
        "3.3.15",
        _invite("Accept: text/nobodyKnowsThis"),
        body=_SDP,
        call=True,
    ),
    _message(
        "inv2543: an INVITE of RFC 2543 days",
        "3.4.1",
        "INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:{port}\nFrom: <sip:caller@example.net>\nTo: {uri}\nCall-ID: {call_id}\nCSeq: 0 INVITE\nContent-Length: {length}\nContent-Type: application/sdp",
        body=_SDP,
    ),
    # -- our own --
    Torture(name="nothing", section="", data=b""),
    Torture(name="keep-alive", section="", data=b"\r\n\r\n"),
    Torture(name="zeros", section="", data=b"\x00" * 1400),
    Torture(name="an RTP packet", section="", data=b"\x80\x00\x12\x34" + b"\x55" * 168),
    Torture(name="a STUN request", section="", data=b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"\x01" * 12),
    Torture(name="half a message", section="", data=b"INVITE sip:x@y SIP/2.0\r\nVia: SIP"),
    Torture(name="a megabyte's worth of letters", section="", data=b"A" * 60000),
    Torture(
        name="a thousand header fields",
        section="",
        data=b"INVITE sip:x@y SIP/2.0\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    ),
    Torture(
        name="invalid UTF-8", section="", data=b"INVITE sip:\xff\xfe@\xc0\x80 SIP/2.0\r\nVia: \xff\r\n\r\n"
    ),
    Torture(name="HTTP", section="", data=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    _message(
        "an offer with impossible numbers", "", _invite(), body=_SDP.replace("m=audio 40000", "m=audio 99999")
    ),
    _message("an offer without lines", "", _invite(), body="v=0\r\n"),
    _message("an offer that is a novel", "", _invite(), body=_SDP + "a=x\r\n" * 3000),
    _message("an offer of a hundred streams", "", _invite(), body=_SDP + "m=audio 40002 RTP/AVP 0\r\n" * 100),
    _message("an offer to nobody", "", _invite(), body=_SDP.replace("c=IN IP4 127.0.0.1\r\n", "")),
    _message("a call id of nulls", "", _invite(skip=("Call-ID",)) + "\nCall-ID: \x00\x00", body=_SDP),
    _message(
        "an endless tag", "", _invite(skip=("From",)) + "\nFrom: <sip:a@b>;tag=" + "t" * 8000, body=_SDP
    ),
    _message(
        "a path through a hundred proxies",
        "",
        _invite("\n".join(f"Record-Route: <sip:p{n}.example.com;lr>" for n in range(100))),
        body=_SDP,
    ),
)
