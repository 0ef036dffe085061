"""What `tollbridge twilio sync` finds."""

from __future__ import annotations

from bridge.numbers import NumberBook
from bridge.twilio.api import RentedNumber
from bridge.twilio.sync import plan

URL = "https://bridge.example.org"
BOOK = NumberBook.load(NumberBook.default_path())
PARIS, LONDON, BERLIN = "+33975129519", "+442070484146", "+4915735989002"


def rented(
    number: str, *, voice: str = "", status: str = "", method: str = "POST", elsewhere: str = ""
) -> RentedNumber:
    return RentedNumber(
        sid=f"PN{number[1:]}",
        number=number,
        voice_url=voice,
        voice_method=method,
        status_callback=status,
        status_callback_method="POST",
        elsewhere=elsewhere,
    )


def test_every_number_is_in_its_place() -> None:
    voice, status = f"{URL}/twilio/voice", f"{URL}/twilio/status"
    found = plan(
        [
            rented(PARIS, voice="https://demo.twilio.com/welcome/voice/"),
            rented(LONDON, voice=voice, status=status),
            rented(BERLIN, elsewhere="TK123"),
            rented("+12025550199"),
        ],
        BOOK.numbers,
        public_url=URL,
    )
    assert [change.rented.number for change in found.changes] == [PARIS]
    assert found.changes[0].after == (voice, status)
    assert [number.number.value for number in found.right] == [LONDON]
    assert [(number.number.value, sid) for number, sid in found.elsewhere] == [(BERLIN, "TK123")]
    assert found.only_there == ("+12025550199",)
    assert len(found.only_here) == len(BOOK.numbers) - 3
    text = "\n".join(found.lines())
    assert f"voice  https://demo.twilio.com/welcome/voice/ -> {voice}" in text
    assert f"status (none) -> {status}" in text
    assert "unused  +12025550199" in text


def test_another_method_is_a_change() -> None:
    voice, status = f"{URL}/twilio/voice", f"{URL}/twilio/status"
    found = plan([rented(PARIS, voice=voice, status=status, method="GET")], BOOK.numbers, public_url=URL)
    assert len(found.changes) == 1
