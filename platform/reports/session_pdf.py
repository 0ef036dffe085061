"""The report of one session as PDF, A4, in the language asked for. Draws; asks nobody anything.

The same facts at the same moment give the same bytes. Names may be in any script that the font has; what it
has not is drawn as an empty box and stops nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_decimal
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

from paper.fonts import find_fonts
from reports.figures import SessionFacts, sums_of
from reports.people import Person
from reports.user_agents import OTHER
from reports.words import words_in

_FONT = "body"
_INK, _SOFT, _ACCENT = (27, 33, 31), (86, 95, 91), (15, 118, 110)
_MARGIN_MM = 16.0
_LINE_MM = 4.6


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """What is drawn. `zone`: the event's time zone; `most_at_once`: people in one moment."""

    facts: SessionFacts
    zone: str
    people: Sequence[Person]
    most_at_once: int
    made_at: datetime


def draw(report: SessionReport, *, language: str) -> bytes:
    """The file. Raises NoSuchWordsError, paper.fonts.FontMissingError."""
    return _Sheet(report, language).bytes()


class _Sheet(FPDF):
    """One report. The footer is called by fpdf2 at the end of each page."""

    def __init__(self, report: SessionReport, language: str) -> None:
        self._words = words_in(language)
        super().__init__(format="A4")
        self._report, self._locale = report, Locale.parse(language)
        fonts = find_fonts()
        self.add_font(_FONT, "", fonts.regular)
        self.add_font(_FONT, "B", fonts.bold)
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(True, margin=20)
        self.set_creation_date(report.made_at.astimezone(UTC))
        self.set_title(f"{self._words['report']}: {report.facts.event_name}")
        self.set_lang(language)

    def bytes(self) -> bytes:
        """Draw all and return the file."""
        self.add_page()
        self._head()
        self._figures()
        if self._report.people:
            self._people()
            self._shares()
            self._comments()
        else:
            self._line(self._words["nobody"], 10)
        return bytes(self.output())

    def footer(self) -> None:
        self.set_y(-14)
        self._write(7.5, colour=_SOFT)
        made = self._words["made"].format(when=self._when(self._report.made_at))
        self.cell(self.epw / 2, 4, made)
        self.cell(0, 4, self._words["page"].format(page=self.page_no(), pages="{nb}"), align="R")

    def _head(self) -> None:
        facts, words = self._report.facts, self._words
        self._line(f"{words['report']} · {words['kind_' + facts.kind]}", 10, colour=_ACCENT, bold=True)
        self._line(facts.event_name, 18, bold=True, height=8.5)
        end = words["running"] if facts.ended_at is None else self._clock(facts.ended_at)
        zone = self._report.zone.replace("_", " ")
        self._line(f"{self._when(facts.started_at)} – {end} ({zone})", 9.5, colour=_SOFT)
        self.ln(4)

    def _figures(self) -> None:
        facts, people, words = self._report.facts, self._report.people, self._words
        sums = sums_of(1, people)
        length = None if facts.ended_at is None else facts.ended_at - facts.started_at
        rating = "–" if sums.rating is None else f"{self._number(sums.rating, 1)} / 5 ({sums.ratings})"
        shown = [
            (words["participants"], self._number(sums.participants)),
            (words["at_once"], self._number(self._report.most_at_once)),
            (words["length"], "–" if length is None else duration(length // timedelta(milliseconds=1))),
            (words["average"], duration(sums.average_ms)),
            (words["rating"], rating),
        ]
        width, top = self.epw / len(shown), self.get_y()
        for place, (name, value) in enumerate(shown):
            self.set_xy(_MARGIN_MM + place * width, top)
            self._write(13, bold=True)
            self.cell(width, 7, value, new_x=XPos.LEFT, new_y=YPos.NEXT)
            self._write(8, colour=_SOFT)
            self.cell(width, 4, name)
        self.set_xy(_MARGIN_MM, top + 16)

    def _people(self) -> None:
        words = self._words
        self._line(words["people"], 12, bold=True, height=8)
        self._write(7.5)
        self.set_draw_color(214, 218, 216)
        head = FontFace(emphasis="BOLD", color=_INK, fill_color=(233, 240, 238))
        names = ("name", "mail", "time", "browser", "phone", "country", "rating")
        with self.table(
            col_widths=(34, 40, 19, 25, 22, 23, 15),
            text_align=("LEFT", "LEFT", *["RIGHT"] * 3, "LEFT", "RIGHT"),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES, headings_style=head, line_height=_LINE_MM,
            padding=(0.9, 1.2),
        ) as table:  # fmt: skip
            table.row([words[name] for name in names])
            for person in self._report.people:
                table.row((
                    _one_line(person.shown_name) or words["unknown"], _one_line(person.email or "–"),
                    duration(person.present_ms), duration(person.browser_ms) if person.browser_ms else "–",
                    duration(person.phone_ms) if person.phone_ms else "–", self._country(person.country),
                    "–" if person.stars is None else str(person.stars),
                ))  # fmt: skip
        self.ln(5)

    def _shares(self) -> None:
        people, words = self._report.people, self._words
        devices = {"computer": words["computer"], "phone": words["phone_device"], "tablet": words["tablet"]}
        shares: list[tuple[str, Iterable[str]]] = [
            (words["from_where"], (self._country(person.country) for person in people)),
            (words["devices"], (devices.get(person.device, words["other"]) for person in people)),
            (words["browser"], (self._browser(person.browser) for person in people if person.browser)),
        ]
        for title, values in shares:
            counted = sorted(Counter(values).items(), key=lambda one: (-one[1], one[0]))
            if counted:
                self._write(9, bold=True)
                self.cell(38, _LINE_MM + 0.6, title)
                self._write(9)
                text = ", ".join(f"{name} {self._number(count)}" for name, count in counted)
                self.multi_cell(0, _LINE_MM + 0.6, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(3)

    def _comments(self) -> None:
        said = [person for person in self._report.people if person.comment]
        if said:
            self._line(self._words["comments"], 12, bold=True, height=8)
        for person in said:
            who = _one_line(person.shown_name) or self._words["unknown"]
            self._line(f"{who} · {person.stars}/5", 8.5, colour=_SOFT)
            self._line(_one_line(person.comment or ""), 9)
            self.ln(1.5)

    def _line(
        self, text: str, size: float, *, bold: bool = False, colour: tuple[int, int, int] = _INK,
        height: float = _LINE_MM + 0.4,
    ) -> None:  # fmt: skip
        self._write(size, bold=bold, colour=colour)
        self.multi_cell(0, height, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _write(self, size: float, *, bold: bool = False, colour: tuple[int, int, int] = _INK) -> None:
        self.set_font(_FONT, "B" if bold else "", size)
        self.set_text_color(*colour)

    def _number(self, value: float, digits: int = 0) -> str:
        return format_decimal(round(value, digits), locale=self._locale)

    def _country(self, code: str | None) -> str:
        return self._words["unknown"] if code is None else self._locale.territories.get(code, code)

    def _browser(self, name: str) -> str:
        return self._words["other"] if name == OTHER else name

    def _when(self, moment: datetime) -> str:
        local = moment.astimezone(ZoneInfo(self._report.zone))
        return f"{format_date(local, 'long', locale=self._locale)}, {self._clock(moment)}"

    def _clock(self, moment: datetime) -> str:
        local = moment.astimezone(ZoneInfo(self._report.zone))
        return format_time(local, "HH:mm", locale=self._locale)


def duration(length_ms: int) -> str:
    """`1:02:05`: hours, minutes, seconds."""
    whole_s = length_ms // 1000
    return f"{whole_s // 3600}:{whole_s // 60 % 60:02d}:{whole_s % 60:02d}"


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
