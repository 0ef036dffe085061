"""The life of events around their calls: steps, invitations, web hooks, who came, thanks.

Each part has a thread of its own over the database; what live rooms tell them is taken at once and written
down later.  Two things go the other way: closing the room of an event that ended by itself is handed to the
event loop, and on the loop a watch puts out whose token was taken back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from bridge.cdr.visits import CdrVisits
from database.types import now_utc
from events.directory import PinDirectory
from events.door_watch import LOOK_EVERY_S, DoorWatch
from events.doors import Doors
from events.invitations import MailParts
from events.news import ParticipantNews
from events.scheduler import Scheduler
from events.token_uses import TokenUses
from events.web_hook_runner import WebHookRunner
from events.web_hook_sender import HookSender
from events.wording import Number
from reports.attendance_book import AttendanceBook
from reports.farewell import FarewellClerk
from rooms.commands import ORGANISER, End
from rooms.errors import NoSuchRoom, Refused
from rooms.live import LiveRooms
from tollbridge import __version__
from tollbridge.settings import Settings
from tollbridge.stores import Stores
from web.services import Gateway

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def lifecycle(
    settings: Settings,
    *,
    stores: Stores,
    live: LiveRooms,
    directory: PinDirectory,
    secret: bytes,
    gateways: Sequence[Gateway],
) -> AsyncIterator[AttendanceBook]:
    """All parts, started; stopped on the way out. The book is told who enters."""
    loop = asyncio.get_running_loop()

    def end_room(event_id: int) -> None:
        try:
            live.apply(str(event_id), End(by=ORGANISER), now_s=loop.time())
        except (Refused, NoSuchRoom):
            return  # nobody is in it, or somebody ended it first

    numbers = tuple(
        Number(
            location=gateway.location,
            display=gateway.display,
            country=gateway.country,
            language=gateway.language,
        )
        for gateway in gateways
    )
    attendance = AttendanceBook(stores.sessions)
    farewell = FarewellClerk(
        stores.sessions, CdrVisits(), secret=secret, public_url=settings.web_address, now=now_utc
    )
    scheduler = Scheduler(
        stores.sessions,
        MailParts(
            doors=Doors(public_url=settings.web_address),
            public_url=settings.web_address,
            secret=secret,
            numbers=lambda: numbers,
        ),
        rules=settings.event_rules,
        on_end=lambda event_id: _post(loop, end_room, event_id),
    )
    uses, news = TokenUses(stores.sessions, now=now_utc), ParticipantNews(stores.sessions)
    hooks = WebHookRunner(
        stores.sessions,
        sender=HookSender(allow_private=settings.web_hooks_allow_private),
        version=__version__,
        news=news,
    )
    async with contextlib.AsyncExitStack() as stack:
        for part in (attendance, farewell, scheduler, uses, hooks):
            part.start()
            stack.push_async_callback(asyncio.to_thread, part.stop)
        stack.callback(live.subscribe(uses.observe))
        stack.callback(live.subscribe(news))
        watching = asyncio.create_task(_keep_looking(DoorWatch(live, directory)))
        stack.callback(watching.cancel)
        yield attendance


async def _keep_looking(watch: DoorWatch) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            watch.look(now_s=loop.time())
        except Exception:
            _log.exception("door_watch_failed")


def _post(loop: asyncio.AbstractEventLoop, work: Callable[[int], None], event_id: int) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: the product has stopped
        loop.call_soon_threadsafe(work, event_id)
