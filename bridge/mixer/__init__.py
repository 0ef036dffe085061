"""The RTP media plane: every sound in the system passes here.

One worker process owns all sockets of a node and computes all its rooms as array operations,
one tick of 20 ms for all legs at once.  The pieces, from the leaves up:

- arithmetic and coding: `wrap`, `g711`, `l16`, `clips`, `resample`, `conceal`
- state of many legs as arrays, without I/O: `legs`, `stream`, `jitter`, `voices`, `level`, `inband`,
  `rfc4733`, `rooms_mix`, `output`, all fed by `intake`
- one tick: `engine`, which takes packets and the time and returns packets
- the outside: `sockets` (recvmmsg, sendmmsg), `worker` (the process), `client` (its owner)
"""
