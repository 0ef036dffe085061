"""A payment provider of our own that moves no money, for trying things out and for tests.

It is a real HTTP server with books of its own, as far away from the rest as a real provider would be: the
product speaks to it over HTTP only (`client`), and it speaks back by signed web hooks. `books` remembers,
`app` answers programs and payers, `pages` shows them what they can choose, `hooks` delivers.
"""
