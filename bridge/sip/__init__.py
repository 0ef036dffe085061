"""SIP signalling: pjsua2 answers the calls, and no sound passes here.

RFC 3261 with UPDATE (3311), session timers (4028), Reason (3326, 6432), digest (7616), privacy (3323,
3325), reliable provisional responses (3262), INFO keys. The layers, each importing only those above it:

    errors config messages          values
    headers identity dialled sdp    reading what a phone sent
    negotiation reason keys         deciding what to answer
    trusted digest limiter          who may call: engines without I/O, time as an argument
    call account engine             pjsua2: one thread owns it, callbacks become events
"""
