"""A person whose call comes in by Twilio, with all the habits of any other caller."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any

from tests.phones.caller import PARIS, Caller, Office, until
from tests.phones.ear import Ear
from tests.phones.twilio_cloud import TwilioCloud
from tests.phones.twilio_phone import TwilioCall, TwilioPhone
from tests.support.product import Product
from tests.support.sound import sine


class TwilioCaller(Caller):
    """As `Caller`, over Twilio. `call` is a TwilioCall."""

    phone: TwilioPhone
    call: TwilioCall | None
    cloud: TwilioCloud

    def dial(self, number: str = PARIS, *, answered: bool = True) -> Any:
        call = TwilioCall(self.cloud, self.office.product.url, number, caller=self.user)
        self.call = self.phone.call = call
        call.start()
        if answered:
            until(lambda: call.streaming, lambda: f"{self.name} got no stream: {call.answers}")
            until(lambda: self.phone.heard, lambda: f"{self.name} was sent no sound")
        return call

    def hang_up(self) -> None:
        assert self.call is not None
        self.call.hang_up()

    def hung_up_on(self, *, within_s: float = 15.0) -> Any:
        assert self.call is not None
        assert self.call.ended.wait(within_s), f"{self.name} was not hung up on"
        return self.call


class MixedOffice(Office):
    """An office some of whose people come in by Twilio."""

    def __init__(self, product: Product, ear: Ear, cloud: TwilioCloud) -> None:
        super().__init__(product, ear)
        self.cloud = cloud

    def twilio_caller(
        self, name: str, *, hz: float | None = None, language: str = "fr", user: str = ""
    ) -> TwilioCaller:
        """Somebody who calls a number rented from Twilio."""
        phone = TwilioPhone()
        if hz is not None:
            phone.says = sine(hz)
            self.voices[name] = hz
        user = user or f"+120255502{11 + len(self.callers):02d}"
        self.studio.add(phone)
        caller = TwilioCaller(self, name, sip=self._sip, phone=phone, user=user, language=language)
        caller.cloud = self.cloud
        self.callers[name] = caller
        return caller

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for caller in self.callers.values():
            if isinstance(caller, TwilioCaller) and caller.call and not caller.call.ended.is_set():
                with contextlib.suppress(AssertionError):
                    caller.hang_up()
        super().__exit__(kind, error, trace)
