"""Typed messages between processes of the house.

`frames` cuts a byte stream into lists of msgspec structs; `child` is the owner's end of a process that is
kept alive; `parent` is that process's end.  Nothing here knows what the messages mean.
"""
