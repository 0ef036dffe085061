"""Pages about money for the organiser: balance, top-ups, costs and why, bills. One module each.

Whatever a page shows is the visitor's account's; an id of another account is an unknown id.
"""
