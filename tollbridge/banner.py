"""What `tollbridge serve` says when it is up: where it is, and how to place the first call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.numbers import DialInNumber
from tollbridge.first_run import FirstRun

FEW_LINES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The facts of a start."""

    web: str
    sip: Sequence[str]
    lines: int
    """Calls that may be up at a time."""
    compiled_lines: int
    pjsua2: str
    data_dir: Path
    numbers: Sequence[DialInNumber]
    warnings: Sequence[str]
    recovered: int
    first: FirstRun | None
    sandbox: str | None = None
    """Where the test payment provider is, when there is no real one."""

    def text(self) -> str:
        """Lines for a terminal."""
        out = ["", "Tollbridge is up.", f"  web   {self.web}    (API: {self.web}/docs)"]
        out += [f"  SIP   {address}" for address in self.sip]
        out.append(f"  lines {self.lines}    (pjsua2 {self.pjsua2}, compiled for {self.compiled_lines})")
        out.append(f"  data  {self.data_dir}")
        if self.sandbox is not None:
            out.append(f"  money {self.sandbox}    (TEST payments: no money moves until a provider has keys)")
        if self.lines <= FEW_LINES:
            out.append(
                f"  ! This pjsua2 carries {self.lines} calls at a time. "
                "Run `make pjsua2` to build one for thousands."
            )
        if self.recovered:
            out.append(f"  {self.recovered} calls of the last run were closed as cut off (node_crash).")
        out += [f"  ! {warning}" for warning in self.warnings]
        if self.first is not None:
            out += self._first_call(self.first)
        out.append("")
        return "\n".join(out)

    def _first_call(self, first: FirstRun) -> list[str]:
        number = next((n for n in self.numbers if n.id == "fr-paris"), self.numbers[0])
        host = self.sip[0].removeprefix("sip:").partition(";")[0]
        return [
            "",
            "This database was empty, so here is an organiser and a room to try. Keep what you need:",
            f"  account        {first.email}",
            f"  password       {first.password}    (sign in: {self.web}/sign-in)",
            f"  API key        {first.api_key}",
            f"  room           {first.room_id} “{first.name}”",
            f"  presenter PIN  {first.presenter_pin}",
            f"  listener PIN   {first.listener_pin}",
            "",
            "Enter it with a browser, as presenter and, in another window, as participant:",
            f"  {self.web}{first.presenter_path}",
            f"  {self.web}{first.presenter_path.partition('?')[0]}",
            "Call it: let a softphone (Linphone, MicroSIP, baresip …) dial",
            f"  sip:{number.number.value}@{host}    ({number.city_en}, {number.language})",
            "type a PIN and #. As presenter press 7 to start, 0 for all keys.",
        ]
