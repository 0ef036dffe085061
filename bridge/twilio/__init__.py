"""The second way in: telephone calls that Twilio brings, by signed web hooks and Media Streams.

    POST /twilio/voice ──► hooks      whose call, which number; answers with TwiML
    wss  /twilio/media ──► stream     µ-law in JSON  ⇄  RTP of an ordinary leg, on loopback
    POST /twilio/status ─► lines      the call is over; its price goes to `bills`
                           lines      one `bridge.calls.line.Line` per call, as SIP has
                           api        the REST side: hang up, ask, numbers (in threads)

Behind `lines` nothing knows where a call came from.  Engines without I/O: `tickets` (one-time tokens),
`visits` (which call is how far, replays), `timeline` (media messages to RTP), `playout` (RTP to media
messages, marks, clear).  docs/twilio.md tells operators, docs/decisions/twilio.md why it is built this way.
"""
