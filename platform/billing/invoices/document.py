"""Draws an invoice as PDF from its frozen content, and keeps the file with its hash.

The same content gives the same bytes: the moment in the file is that of issuing. The file is drawn once,
after the document was committed, so that nobody waits for a page layout while a number is locked; then it is
kept, and what is downloaded is always what was stored.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.invoices.errors import UnknownInvoiceError
from billing.invoices.models import Invoice, InvoicePdf
from billing.invoices.texts import TEXTS
from billing.money import Money
from paper.fonts import find_fonts

_FONT = "body"
_INK, _SOFT, _ACCENT = (28, 32, 40), (104, 112, 124), (36, 76, 156)
_MARGIN_MM = 18.0
_LINE_MM = 5.0


def stored_pdf(
    session: Session, number: str, *, now: datetime, account_id: int | None = None
) -> tuple[bytes, str]:
    """File and SHA-256 of a document; drawn and kept at the first call. Raises UnknownInvoiceError."""
    invoice = session.scalars(select(Invoice).where(Invoice.number == number)).one_or_none()
    if invoice is None or account_id not in (None, invoice.account_id):
        raise UnknownInvoiceError("there is no such invoice")
    found = session.get(InvoicePdf, invoice.id)
    if found is None:
        pdf = draw(invoice)
        found = InvoicePdf(
            invoice_id=invoice.id, pdf=pdf, sha256=hashlib.sha256(pdf).hexdigest(), drawn_at=now
        )
        session.add(found)
        session.flush()
    return found.pdf, found.sha256


def draw(invoice: Invoice) -> bytes:
    """The document as PDF, A4. Raises FontMissingError."""
    return _Sheet(invoice).bytes()


class _Sheet(FPDF):
    """One document. The footer is called by fpdf2 at the end of each page."""

    def __init__(self, invoice: Invoice) -> None:
        super().__init__(format="A4")
        self._invoice = invoice
        self._content: dict[str, Any] = invoice.content
        self._words = TEXTS[invoice.locale]
        self._locale = str(Locale.parse(invoice.locale))
        fonts = find_fonts()
        self.add_font(_FONT, "", fonts.regular)
        self.add_font(_FONT, "B", fonts.bold)
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(True, margin=24)
        self.set_creation_date(invoice.issued_at.astimezone(UTC))
        self.set_title(f"{self._words[invoice.kind]} {invoice.number}")
        self.set_author(self._content["seller"]["name"])
        self.set_lang(invoice.locale)

    def bytes(self) -> bytes:
        """Draw all and return the file."""
        self.add_page()
        self._head()
        self._parties()
        self._lines()
        self._sums()
        self._notes()
        return bytes(self.output())

    def footer(self) -> None:
        seller = self._content["seller"]
        self.set_y(-18)
        self._write(7.5, colour=_SOFT)
        parts = [seller["name"], *seller["address"], seller["registration"], seller["email"]]
        self.multi_cell(0, 3.6, " · ".join(part for part in parts if part), align="C",
                        new_x=XPos.LMARGIN, new_y=YPos.NEXT)  # fmt: skip
        pages = self._words["page"].format(page=self.page_no(), pages="{nb}")
        self.cell(0, 3.6, pages, align="C")

    def _head(self) -> None:
        invoice, words = self._invoice, self._words
        self._write(11, bold=True, colour=_ACCENT)
        self.cell(90, 8, self._content["seller"]["name"])
        self._write(20, bold=True)
        self.cell(0, 9, words[invoice.kind], align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        first, last = (self._date(day) for day in self._content["period"])
        rows = [
            (words["number"], invoice.number),
            (words["date"], self._date(self._content["issued_on"])),
            (words["period"], f"{first} {words['to']} {last}"),
        ]
        for name, value in rows:
            self._write(9, colour=_SOFT)
            self.cell(118, _LINE_MM, name, align="R")
            self._write(9)
            self.cell(0, _LINE_MM, value, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        if "credits" in self._content:
            before = self._content["credits"]
            text = words["credits"].format(number=before["number"], date=self._date(before["issued_on"]))
            self._write(9, bold=True)
            self.cell(0, _LINE_MM, text, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(6)

    def _parties(self) -> None:
        words = self._words
        top, half = self.get_y(), self.epw / 2
        ends = []
        for place, who, label in ((0, "seller", ""), (1, "customer", words["bill_to"])):
            party = self._content[who]
            self.set_xy(_MARGIN_MM + place * half, top)
            country = Locale.parse(self._locale).territories.get(party["country"], party["country"])
            block = [(party["name"], True), *((line, False) for line in party["address"]), (country, False)]
            if party["vat_number"]:
                block.append((f"{words['vat_number']} {party['vat_number']}", False))
            self._write(8, colour=_SOFT)
            self.cell(half, _LINE_MM, label, new_x=XPos.LEFT, new_y=YPos.NEXT)
            for text, bold in block:
                self._write(9.5, bold=bold)
                self.multi_cell(half - 4, _LINE_MM, text, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)
            ends.append(self.get_y())
        self.set_xy(_MARGIN_MM, max(ends) + 8)

    def _lines(self) -> None:
        words = self._words
        self._write(9)
        head = FontFace(emphasis="BOLD", color=_INK, fill_color=(236, 240, 247))
        names = (words["day"], words["what"], words["calls"], words["minutes"], words["rate"], words["net"])
        with self.table(
            col_widths=(23, 71, 18, 20, 19, 30), text_align=("LEFT", "LEFT", *["RIGHT"] * 4),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES, headings_style=head, line_height=_LINE_MM,
            padding=(1.2, 1.5),
        ) as table:  # fmt: skip
            table.row(names)
            for line in self._content["lines"]:
                rate = f"{self._number(line['rate'])} %" if line["treatment"] == "standard" else "–"
                table.row((
                    self._date(line["day"], short=True), line["name"] or words["single"],
                    format_decimal(line["calls"], locale=self._locale),
                    format_decimal(round(line["billed_s"] / 60, 1), format="#,##0.0", locale=self._locale),
                    rate, self._money(line["net"]),
                ))  # fmt: skip
        self.ln(4)

    def _sums(self) -> None:
        words, invoice = self._words, self._invoice
        if self.will_page_break((len(self._content["groups"]) * 2 + 2) * 6):
            self.add_page()
        for group in self._content["groups"]:
            self._sum(words["sum_net"], group["net"])
            if group["treatment"] == "standard":
                name = words["sum_vat"].format(rate=self._number(group["rate"]), country=group["country"])
                self._sum(name.strip(), group["vat"])
        self.set_draw_color(*_INK)
        y = self.get_y() + 1
        self.line(_MARGIN_MM + self.epw - 85, y, _MARGIN_MM + self.epw, y)
        self.ln(2)
        self._sum(words["total"], invoice.total, big=True)
        self.ln(6)

    def _notes(self) -> None:
        words = self._words
        treatments = {group["treatment"] for group in self._content["groups"]}
        if not self._content["registered"]:
            treatments = {"unregistered"}
        notes = [words[name] for name in sorted(treatments) if name in words]
        notes.append(words["rounding"].format(zone=self._content["timezone"]))
        for text in notes:
            self._write(8.5, colour=_SOFT)
            self.multi_cell(0, 4.4, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _sum(self, name: str, minor: int, *, big: bool = False) -> None:
        self._write(11 if big else 9.5, bold=big)
        self.set_x(_MARGIN_MM + self.epw - 85)
        self.cell(50, 6, name)
        self.cell(35, 6, self._money(minor), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _write(self, size: float, *, bold: bool = False, colour: tuple[int, int, int] = _INK) -> None:
        self.set_font(_FONT, "B" if bold else "", size)
        self.set_text_color(*colour)

    def _money(self, minor: int) -> str:
        return Money(minor, self._invoice.currency).format(self._locale)

    def _number(self, text: str) -> str:
        return format_decimal(text, locale=self._locale)

    def _date(self, iso: str, *, short: bool = False) -> str:
        return format_date(date.fromisoformat(iso), "short" if short else "medium", locale=self._locale)
