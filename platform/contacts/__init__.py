"""People an organiser knows: the address book, its groups, and what may be sent to whom."""
