"""Paid access to events: a price for each event, tickets that are bought, and the token that each brings.

`prices` says what a ticket may cost, `offers` keeps what an event asks, `shop` is where a buyer begins and
`sales` what a payment changes: it is one more purpose of `billing.payments`, whose cashier, web hooks, runner
and refunds do the rest. `desk` is the shell that pages use; `listing` what organisers look at.
"""
