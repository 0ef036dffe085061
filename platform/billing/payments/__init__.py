"""Money from outside: top-ups, saved cards, charges for what the wallet lacked, refunds and disputes.

`gateway` says what we ask of a payment provider; `stripe_gateway`, `paypal_gateway` and `test_gateway` are
providers. `checkouts`, `charges`, `refunds` and `hooks` keep our side of the story in the database, and
`runner` carries on with whatever a crash, an outage or a declined card left unfinished.
"""
