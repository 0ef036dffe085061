"""A process for the tests of `wire`: repeats what it is told, and dies or plays dead when asked."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import msgspec

from wire.parent import Parent


class Say(msgspec.Struct, frozen=True, tag=True):
    text: str


class Die(msgspec.Struct, frozen=True, tag=True):
    status: int


class Sleep(msgspec.Struct, frozen=True, tag=True):
    seconds: float


class Rave(msgspec.Struct, frozen=True, tag=True):
    pass


class Said(msgspec.Struct, frozen=True, tag=True):
    pid: int
    text: str


Order = Say | Die | Sleep | Rave
orders = msgspec.msgpack.Decoder(list[Order])
answers = msgspec.msgpack.Decoder(list[Said])


async def run(fd: int) -> None:
    def take(order: Order) -> None:
        match order:
            case Say():
                parent.send(Said(os.getpid(), order.text))
            case Die():
                parent.flush()
                os._exit(order.status)
            case Sleep():
                time.sleep(order.seconds)
            case Rave():
                os.write(fd, b"\xff" * 64)

    parent: Parent[Order, Said] = Parent(orders, take)
    await parent.connect(fd)
    await parent.closed.wait()


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])["pipe"]))
