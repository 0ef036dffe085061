"""A process that is kept alive: greeted, heard, replaced, stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.wire import echo
from wire.child import Child

PATIENCE_S = 15.0


class Owner:
    def __init__(self, *, backlog_bytes_max: int = 64 << 20) -> None:
        self.said: list[echo.Said] = []
        self.lost = 0
        self.child: Child[echo.Order, echo.Said] = Child(
            name="echo",
            module="tests.wire.echo",
            decoder=echo.answers,
            greeting=lambda: [echo.Say("greeting")],
            on_messages=self.said.extend,
            on_lost=self._lost,
            backlog_bytes_max=backlog_bytes_max,
        )

    def _lost(self) -> None:
        self.lost += 1
        self.child.send(echo.Say("into the void"))

    async def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline, self.said
            await asyncio.sleep(0.005)

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.said]


@asynccontextmanager
async def owner(**settings: int) -> AsyncIterator[Owner]:
    made = Owner(**settings)
    await made.child.start()
    try:
        yield made
    finally:
        await made.child.stop()


def test_messages_cross_in_order_after_the_greeting() -> None:
    async def scene() -> None:
        async with owner() as o:
            for n in range(500):
                o.child.send(echo.Say(str(n)))
            await o.until(lambda: len(o.said) == 501)
            assert o.texts == ["greeting", *map(str, range(500))]
            assert {one.pid for one in o.said} == {o.child.pid}
            pid = o.child.pid
        assert not Path(f"/proc/{pid}").exists()
        assert o.child.status == 0, "it ended by itself"
        assert (o.lost, o.child.restarts) == (0, 0), "a process that was told to end is no loss"

    asyncio.run(scene())


def test_a_process_that_dies_is_replaced_and_greeted_again() -> None:
    async def scene() -> None:
        async with owner() as o:
            await o.until(lambda: len(o.said) == 1)
            o.child.send(echo.Die(3))
            await o.until(lambda: o.lost == 1)
            await o.until(lambda: len(o.said) >= 2)
            assert o.texts == ["greeting", "greeting"]
            assert o.said[0].pid != o.said[1].pid
            assert o.child.restarts == 1

    asyncio.run(scene())


@pytest.mark.parametrize("order", [echo.Rave(), echo.Die(0)])
def test_nonsense_and_a_quiet_end_are_losses_too(order: echo.Order) -> None:
    async def scene() -> None:
        async with owner() as o:
            await o.until(lambda: len(o.said) == 1)
            o.child.send(order)
            await o.until(lambda: o.texts == ["greeting", "greeting"])
            assert o.lost == 1

    asyncio.run(scene())


def test_a_process_that_does_not_read_is_replaced() -> None:
    async def scene() -> None:
        async with owner(backlog_bytes_max=1 << 20) as o:
            await o.until(lambda: len(o.said) == 1)
            o.child.send(echo.Sleep(600))
            while not o.lost:
                o.child.send(echo.Say("x" * (1 << 20)))
                await asyncio.sleep(0.005)
            await o.until(lambda: o.texts[1:2] == ["greeting"])
            assert o.lost == 1

    asyncio.run(scene())


def test_a_process_that_hangs_is_stopped_all_the_same() -> None:
    async def scene() -> None:
        async with owner() as o:
            await o.until(lambda: len(o.said) == 1)
            o.child.send(echo.Sleep(600))
            await asyncio.sleep(0)
            begun = time.monotonic()
        assert time.monotonic() - begun < 6
        assert not Path(f"/proc/{o.child.pid}").exists()
        assert o.child.status == -9

    asyncio.run(scene())
