"""The texts behind the keys that billing and call records use, for the reader.

Sentences with values in braces stand here once more as the packages below have them, so that the catalogues
hold them; a test compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from web.site.i18n import N_, texts

STEPS: Mapping[str, str] = {
    "not-answered": N_("The call was not answered, so it costs nothing."),
    "not-billable": N_("The call is not billed: it came over {channel}, and nobody pays for it."),
    "not-yet": N_("The call has not been rated yet."),
    "unrated-no-number": N_("It waits for a price: the number called is not known."),
    "unrated-no-class": N_("It waits for a price: the class of the number called is not known."),
    "unrated-no-deck": N_("It waits for a price: no deck was in force at {answer_at}."),
    "unrated-no-rate": N_(
        "It waits for a price: the deck has no rate for {number_class} numbers like {called}."
    ),
    "answered": N_("Answered at {answer_at}; this moment chooses deck and rate."),
    "end-basis": N_("No hang-up was received ({end_basis}); the call is billed up to the last sound heard."),
    "deck": N_("Deck {name}, version {version}."),
    "sample": N_("This deck is a sample with made-up prices."),
    "prefix": N_("{called} is a {number_class} number; its longest prefix in the deck is {prefix}."),
    "prefix-all": N_(
        "{called} is a {number_class} number; the deck's rate for all numbers of that class fits."
    ),
    "origin": N_("The caller's number begins with {origin}, which has a rate of its own."),
    "connected": N_("Connected for {connected_ms} ms."),
    "grace": N_("Calls shorter than {grace_ms} ms are free."),
    "first-block": N_("The first block of {first_s} s covers it: {billed_sec} s are billed."),
    "blocks": N_("First block {first_s} s + {blocks} × {next_s} s = {billed_sec} s billed."),
    "minutes": N_("{billed_sec} s at {per_minute} {currency} a minute = {amount} {currency}."),
    "connect-fee": N_("Connect fee {connect_fee} {currency}."),
    "sum": N_("Together {amount} {currency}."),
    "limit-min": N_("The smallest charge applies: {amount} {currency}."),
    "limit-max": N_("The largest charge applies: {amount} {currency}."),
    "rounding": N_("{before} rounded ({rounding}) to {decimals} digits: {after} {currency}."),
    "exact": N_("Nothing had to be rounded."),
    "cost": N_("Cost of the call: {amount} {currency}."),
    "session-rounding": N_(
        "A session's calls are added up and rounded to the currency's smallest unit once."
    ),
}

FAULTS: Mapping[str, str] = {
    "empty": N_("The file is empty. Save the price list with a header line and at least one rate."),
    "no-rates": N_("The file has a header and no rates. Add a line for each rate."),
    "too-big": N_("The file has {size} bytes; at most {max} are read. Split it, or remove what is no rate."),
    "too-many": N_("The file has more than {max} rates. Split it into decks for different currencies."),
    "workbook": N_("This is a workbook or another program's own file. Save it as CSV (UTF-8) and try again."),
    "not-text": N_("The file is not text. Save it as CSV (UTF-8) and try again."),
    "quote": N_("A quotation mark is not closed, or stands inside a cell. Write it twice, or remove it."),
    "missing-column": N_("The column {name} is missing. Add it to the first line."),
    "unknown-column": N_("There is no column {value}. Use one of: {known}."),
    "twice-column": N_("The column {name} is there twice. Remove one."),
    "cells": N_("The line has {found} cells and the header {wanted}. Check commas and quotation marks."),
    "required": N_("The cell is empty. Write {what}."),
    "class": N_("{value} is no class of numbers. Write one of: {known}."),
    "prefix": N_(
        "{value} is no prefix. Write 1 to 15 digits with or without a plus, or * for all numbers."
    ),
    "mangled": N_(
        "{value} was made by a spreadsheet from a long number. Format the column as text and type it again."
    ),
    "amount": N_("{value} is no amount. Write digits with a point, such as 0.05."),
    "comma": N_("{value} has a comma, which separates the cells of this file. Write a point, such as 0.05."),
    "negative": N_("{value} is below 0. Write 0 or more; to give money back, use a correction."),
    "digits": N_("{value} has more than 6 digits after the point. Shorten it."),
    "absurd": N_(
        "{value} {currency} is more than {max}, which looks like a slip. Check the point; import with "
        "large amounts allowed if it is meant."
    ),
    "whole": N_("{value} is no whole number. Write {what}."),
    "range": N_("{value} is not between {min} and {max}. Write {what}."),
    "uneven": N_(
        "The first block ({first} s) is no multiple of the next ({next} s), so that hanging up and "
        "redialling is cheaper. Change one, or import with uneven blocks allowed."
    ),
    "min-max": N_("The largest charge ({max}) is below the smallest ({min}). Exchange or correct them."),
    "date": N_("{value} is no date. Write 2026-12-01 (midnight UTC) or 2026-12-01T00:00Z."),
    "naive": N_("{value} does not say its time zone. Add Z for UTC, or an offset such as +01:00."),
    "order": N_(
        "The end ({end}) is not after the beginning ({begin}). Correct one; the end itself is not included."
    ),
    "unknown-currency": N_("{value} is no currency. Write three capital letters, such as EUR."),
    "mixed-currency": N_(
        "The line is in {value} and the deck in {currency}. A deck has one currency: make a deck of its own."
    ),
    "duplicate": N_("The same rate is in line {other}. Remove one of the two."),
    "overlap": N_(
        "Line {other} is for the same numbers at the same time. Let one end when the other begins."
    ),
    "long": N_("The text has {found} characters; {max} are kept. Shorten it."),
}

WORDS: Mapping[str, Mapping[str, str]] = {
    "class": {"city": N_("city"), "tollfree": N_("toll-free"), "mobile": N_("mobile")},
    "channel": {"sip": "SIP", "twilio": "Twilio", "webrtc": "WebRTC"},
    "direction": {"in": N_("in"), "out": N_("out")},
    "end": {
        "bye": N_("hung up"),
        "media_timeout": N_("sound stopped"),
        "node_crash": N_("node crashed"),
        "reaper": N_("cleared away"),
        "cap": N_("longest duration"),
    },
    "disposition": {
        "success": N_("success"),
        "client_error": N_("caller’s side failed"),
        "refused": N_("refused"),
        "network_error": N_("line broke"),
        "server_error": N_("our side failed"),
    },
    "party": {
        "caller": N_("caller"),
        "callee": N_("person called"),
        "bridge": N_("bridge"),
        "unknown": N_("unknown"),
    },
    "unrated": {
        "no-number": N_("number unknown"),
        "no-class": N_("class unknown"),
        "no-deck": N_("no price list in force"),
        "no-rate": N_("no rate fits"),
    },
    "nonbillable": {
        "not-answered": N_("not answered"),
        "not-telephone": N_("no telephone call"),
        "no-account": N_("no account"),
    },
    "deck": {"draft": N_("draft"), "active": N_("in force"), "retired": N_("retired")},
    "rerating": {
        "requested": N_("waits for approval"),
        "applied": N_("approved"),
        "rejected": N_("rejected"),
    },
    "charge": {
        "failed": N_("card refused"),
        "no_card": N_("no card"),
        "waiting": N_("tried again soon"),
        "action": N_("customer has to confirm"),
        "small": N_("too small to charge"),
    },
    "vat": {"valid": N_("valid"), "invalid": N_("invalid"), "unknown": N_("unknown")},
    "transaction": {
        "top_up": N_("top-up"),
        "usage": N_("usage"),
        "shortfall": N_("card payment of usage"),
        "invoice": N_("invoice"),
        "payment": N_("card payment of an invoice"),
        "chargeback": N_("chargeback"),
        "refund": N_("refund"),
        "settlement": N_("settlement"),
        "goodwill": N_("goodwill"),
        "write_off": N_("write-off"),
        "recognition": N_("income recognised"),
        "payout": N_("payout"),
        "reversal": N_("reversal"),
    },
    "account": {
        "psp": N_("payment provider"),
        "bank": N_("bank"),
        "receivable": N_("receivable"),
        "wallet": N_("wallet"),
        "vat": N_("value-added tax"),
        "deferred": N_("deferred income"),
        "usage": N_("usage income"),
        "plan": N_("plan income"),
        "addon": N_("add-on income"),
        "rounding": N_("rounding differences"),
        "psp_fee": N_("provider’s fees"),
        "bad_debt": N_("bad debt"),
        "goodwill": N_("goodwill given"),
        "dispute": N_("disputes"),
    },
    "check": {
        "trial-balance": N_("Entries do not sum to zero"),
        "transaction-unbalanced": N_("A transaction does not sum to zero"),
        "cached-balance": N_("A kept balance differs from its entries"),
        "held": N_("A held amount differs from its holds"),
        "call-unrated": N_("A call has no price"),
        "call-uncharged": N_("A call is in no charge"),
        "call-twice": N_("A call is charged twice"),
        "call-outdated": N_("A call was charged by an older price"),
        "call-priceless": N_("A call was charged without a price"),
        "charge-fails": N_("A charge raises an error"),
        "charge-lines": N_("A charge and its lines differ"),
        "charge-total": N_("A charge and its transaction differ"),
        "usage-without-charge": N_("A usage transaction has no calls"),
        "stale-hold": N_("A hold should have ended"),
        "not-in-ledger": N_("The provider has what our books lack"),
        "amount-differs": N_("The provider has another amount"),
        "not-at-provider": N_("Our books have what the provider lacks"),
        "open-leg": N_("A call seems up, and its node is silent"),
        "provider-away": N_("The provider could not be asked"),
    },
}

Teller = Callable[[str, object], str]


def teller(language: str) -> Teller:
    """`say(group, key)`: the word behind a key; the key itself where there is none."""
    translate = texts(language).gettext

    def say(group: str, key: object) -> str:
        if key is None:
            return "–"
        word = WORDS[group].get(str(key))
        return str(key) if word is None else translate(word)

    return say


def fault_text(language: str, slug: str, values: Mapping[str, str]) -> str:
    """What is wrong in a rate file."""
    return texts(language).gettext(FAULTS[slug]).format_map(dict(values))
