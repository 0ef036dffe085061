"""The switchboard: telephone calls brought together with sound, menus, rooms and records.

    line ──► Call ◄── mixer          what came in: signalling; keys, talk, prompts heard
              │
              ├── ivr.CallFlow       what the caller hears and may press (no I/O)
              ├── rooms.LiveRooms    the rules; the same for keys and clicks
              └── cdr.CdrStore       the record

A call is a call whatever brought it: `Line` is all that a way in (SIP, Twilio) must offer.  Everything here
runs on the event loop's thread; what would block (speech synthesis, codecs) goes to a small pool.
"""
