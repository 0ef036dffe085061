"""Browsers' sound: a process that owns all WebRTC connections, and its owner's end.

    client    what the rest of the house uses; keeps the process alive
    worker    the process: event loop, pipe
    core      peers and sources, and who hears and feeds which
    peer      one browser: offer/answer, its two streams, its reports
    sdp       offers read with suspicion, answers written
    ice       candidates, ports, the path packets take
    transport DTLS and SRTP over a path that may change
    source    one mixer leg: L16 in, encoded to Opus once for all who hear it; L16 out
    outgoing, microphone, reorder, reports, rtp, opus      streams and codecs, without I/O

A *source* is one RTP endpoint on loopback opposite one mixer leg.  A *peer* is one browser.
"""
