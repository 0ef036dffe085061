"""The third way in: people with a browser.

A browser has no telephone call, no prompts and no keys; what is left of a way in is sound and a record.
Its sound takes one of two ways, which `desk` chooses from what the live room says of the person:

- Who may speak has a leg of the mixer for themselves (L16/48000 on loopback), in both directions: they hear
  everybody but themselves.
- All others listen.  Those of one room hear the same, so they share one leg of the mixer, whose sound is
  encoded once (`rooms.webrtc`); all who wait with music, in whatever room, share another.

    page ─ socket ─► web ─► BrowserDesk ─► LiveRooms            who is in, what they may
                                │  └─────► Sources ─► MixerClient, WebRtcClient     which leg is whose sound
                                └────────► CdrStore             one record per visit

Errors are those of the parts: `rooms.errors.Refused`, `rooms.webrtc.errors.BadOffer`.
"""
