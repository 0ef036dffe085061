"""The pages that payers see at the test provider: plain HTML that says on top that no money moves."""

from __future__ import annotations

from html import escape

from billing.money import Money
from billing.payments.test_gateway.books import Document
from billing.payments.test_gateway.cards import CARDS

BANNER = "TEST — no money moves"
OUTCOMES = (
    ("pay", "Pay"),
    ("decline", "Decline the card"),
    ("confirm", "Ask for 3-D Secure first"),
    ("timeout", "Pay, but lose the way back (the page times out after the charge)"),
    ("cancel", "Give up and go back"),
)
MANNERS = (
    ("once", "arrives once"),
    ("twice", "arrives twice"),
    ("late", "arrives late"),
    ("reversed", "arrives in the wrong order"),
)

_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5; }
body { max-width: 34rem; margin: 2rem auto; padding: 0 1rem; }
.banner { background: #ffd54d; color: #1c1600; font-weight: 700; padding: .75rem 1rem; border-radius: .5rem; }
fieldset { border: 1px solid #8888; border-radius: .5rem; margin: 1rem 0; padding: .75rem 1rem; }
label { display: block; padding: .4rem 0; }
button { font: inherit; padding: .7rem 1.2rem; border-radius: .5rem; border: 1px solid #8888; }
.amount { font-size: 1.6rem; font-weight: 650; }
"""


def checkout_page(document: Document) -> str:
    """Where somebody pays a checkout, or chooses what shall go wrong."""
    if document["amount"]:
        what = f'<p class="amount">{escape(_money(document))}</p>'
    else:
        what = "<p>Leave a card for later payments.</p>"
    card_choices = "".join(
        _radio("card", card.behaviour, card.text, checked=card.behaviour == "good") for card in CARDS
    )
    outcomes = "".join(_radio("outcome", value, text, checked=value == "pay") for value, text in OUTCOMES)
    manners = "".join(_radio("hooks", value, text, checked=value == "once") for value, text in MANNERS)
    return _page(
        "Test payment",
        f"<h1>{escape(document['description'])}</h1>{what}"
        f'<form method="post"><fieldset><legend>Card</legend>{card_choices}</fieldset>'
        f"<fieldset><legend>What happens</legend>{outcomes}</fieldset>"
        f"<fieldset><legend>The message to the shop</legend>{manners}</fieldset>"
        "<button>Go on</button></form>",
    )


def confirm_page(document: Document) -> str:
    """The stand-in for the bank's page of 3-D Secure."""
    return _page(
        "Confirm a test payment",
        f'<h1>Your test bank asks</h1><p class="amount">{escape(_money(document))}</p>'
        '<p>Is it you who pays?</p><form method="post">'
        '<button name="answer" value="yes">Yes, pay</button> '
        '<button name="answer" value="no">No, refuse</button></form>',
    )


def note_page(title: str, text: str) -> str:
    """A page with one sentence."""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f'<body><p class="banner">{BANNER}</p>{body}</body></html>'
    )


def _radio(name: str, value: str, text: str, *, checked: bool) -> str:
    mark = " checked" if checked else ""
    return f'<label><input type="radio" name="{name}" value="{value}"{mark}> {escape(text)}</label>'


def _money(document: Document) -> str:
    return Money(document["amount"], document["currency"]).format("en")
