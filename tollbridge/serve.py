"""The whole product in one process and its media worker: `tollbridge serve`.

The one composition root: every part is built here, from the settings, and handed what it needs.  Order of
start: what others need first; the door (SIP) last, when everything behind it stands.  Order of the end: the
reverse.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import structlog
import uvicorn
import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from billing.invoices.vat import taxes
from bridge.calls.booth import Booth
from bridge.calls.runs import RoomSettings, Runs
from bridge.calls.sip_lines import SipLines
from bridge.calls.switchboard import Switchboard, SwitchboardSettings
from bridge.calls.toll_books import TollBooks
from bridge.calls.tolls import Tolls
from bridge.cdr.errors import CdrError
from bridge.cdr.guard import PinGuard
from bridge.cdr.news import tell_calls
from bridge.cdr.store import CdrStore
from bridge.ivr.prompts.library import PromptLibrary
from bridge.ivr.settings import IvrSettings
from bridge.mixer import protocol as p
from bridge.mixer.client import MixerClient, MixerError
from bridge.numbers import NumberBook, NumberBookError
from bridge.sip.config import Registration, SipConfig, Transport, Trunk
from bridge.sip.engine import SipEngine
from bridge.sip.errors import SipConfigError
from bridge.sip.library import compiled_lines
from bridge.twilio.routes import MOUNT as TWILIO_MOUNT
from database.errors import DatabaseError
from database.types import now_utc
from events.directory import PinDirectory
from events.session_book import SessionBook
from events.wording import Number
from mail.outbox import Outbox
from mail.senders import FileSender, Sender, SmtpSender
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from rooms.webrtc.errors import Unavailable
from tollbridge import __version__, logs
from tollbridge.banner import Banner
from tollbridge.billing_wiring import billing_house, fund_notices, seller
from tollbridge.browser_wiring import browser_parts
from tollbridge.first_run import FirstRun, seed
from tollbridge.lifecycle_wiring import lifecycle
from tollbridge.metrics import BridgeCollector, Parts
from tollbridge.secret import signing_key
from tollbridge.settings import Settings
from tollbridge.stores import Stores, open_stores
from tollbridge.trunk_settings import TrunkSettings
from tollbridge.twilio_wiring import twilio_parts
from tollbridge.web_server import WebServer
from web.app import create_app
from web.services import Gateway, Health, NoBrowsers, Services
from web.setting_watch import LOOK_EVERY_S, SettingWatch

_log = structlog.get_logger(__name__)

PIN_ANSWER_S = 30.0
"""A PIN may be answered late on purpose (see `bridge.cdr.guard`), but not later than this."""

WS_BYTES_MAX = 64 * 1024


class StartError(Exception):
    """The product cannot start; the text says why and what to do."""


def run(settings: Settings) -> int:
    """Serve until told to stop; the exit status."""
    logs.configure(settings)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except StartError as exc:
        print(f"tollbridge cannot start: {exc}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _everything(settings) as (banner, web):
        print(banner.text(), flush=True)
        _spare_the_collector()
        done, _ = await asyncio.wait(
            {asyncio.create_task(stop.wait()), web}, return_when=asyncio.FIRST_COMPLETED
        )
        if web in done:
            raise StartError("the web server ended by itself; see the log")
        _log.info("stopping")


def _spare_the_collector() -> None:
    """Keep what the start made out of garbage collection.

    A full collection walks some 170,000 objects that never go away (modules, tables, number plans) and stops
    every thread for 0.1 s, on a busy machine for a second: long enough for phones to repeat their INVITEs.
    Without them it walks what calls have made.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)
    gc.enable()


@contextlib.asynccontextmanager
async def _everything(settings: Settings) -> AsyncIterator[tuple[Banner, asyncio.Task[None]]]:
    """All parts, started; they are stopped in reverse on the way out."""
    book = _numbers(settings)
    async with contextlib.AsyncExitStack() as stack:
        try:
            web = await stack.enter_async_context(WebServer.bound(settings.http_host, settings.http_port))
        except OSError as exc:
            raise StartError(
                f"the web server cannot listen on {settings.http_host} port {settings.http_port} "
                f"({exc.strerror}); set TOLLBRIDGE_HTTP_PORT to a free port"
            ) from exc
        settings = settings.model_copy(update={"http_port": web.port})
        stores, demo = stack.enter_context(_database(settings))
        directory = PinDirectory(stores.readers)
        await asyncio.to_thread(directory.start)
        stack.push_async_callback(asyncio.to_thread, directory.stop)
        sessions = SessionBook(stores.sessions, node_id=settings.node_id)
        try:
            await asyncio.to_thread(sessions.recover)
        except SQLAlchemyError as exc:
            raise StartError(f"the database cannot be used: {_first_line(exc)}") from exc
        sessions.start()
        stack.push_async_callback(asyncio.to_thread, sessions.stop)
        cdrs = CdrStore(
            stores.sessions, spool_dir=settings.spool_dir, node_id=settings.node_id, tell=tell_calls
        )
        try:
            recovered = await asyncio.to_thread(cdrs.start)
        except CdrError as exc:
            raise StartError(str(exc)) from exc
        stack.push_async_callback(asyncio.to_thread, cdrs.stop)

        mail = Outbox(stores.sessions, _mail_sender(settings), mail_from=settings.mail_from, now=now_utc)
        mail.start()
        stack.push_async_callback(asyncio.to_thread, mail.stop)
        try:
            billing = await stack.enter_async_context(
                billing_house(settings, sessions=stores.sessions, mail=mail, numbers=_for_mails(book))
            )
        except OSError as exc:
            raise StartError(
                f"the test payment provider cannot run on port {settings.sandbox_port} ({exc.strerror}); "
                "set TOLLBRIDGE_SANDBOX_PORT to a free port"
            ) from exc

        live, guard = LiveRooms(), PinGuard()
        runs = Runs(
            RoomSettings(
                room_idle_s=settings.room_idle_s,
                rejoin_s=settings.rejoin_s,
                discussion_limit=settings.discussion_limit,
                join_tones=settings.join_tones,
            ),
            live=live,
            sessions=sessions,
            directory=directory,
            now=now_utc,
        )
        stack.callback(runs.close)
        loop = asyncio.get_running_loop()
        feed = RoomFeed(live, first_seq=time.time_ns() // 1_000_000, unix_offset_s=time.time() - loop.time())
        stack.callback(feed.close)
        try:
            secret = signing_key(settings)
        except OSError as exc:
            raise StartError(str(exc)) from exc
        hear: list[p.Event] = []
        mixer = MixerClient(
            addresses=list(settings.media_binds),
            ports=range(settings.rtp_ports[0], settings.rtp_ports[1] + 1),
            capacity=settings.max_calls,
            on_event=hear.append,
        )
        try:
            await mixer.start()
        except MixerError as exc:
            raise StartError(str(exc)) from exc
        stack.push_async_callback(mixer.stop)
        library = PromptLibrary(
            cache_dir=settings.prompt_cache, recordings_dir=settings.recordings_of_prompts
        )
        booth = Booth(library, mixer)
        stack.callback(booth.close)
        await booth.open(_languages(book))
        tolls = Tolls(
            TollBooks(
                stores.readers,
                stores.sessions,
                taxes=taxes(seller(settings)),
                currency=settings.currency,
                shelf=billing.parts.decks,
            )
        )
        tolls.on_notice = fund_notices(settings, sessions=stores.sessions, mail=mail)
        tolls.start()
        stack.push_async_callback(asyncio.to_thread, tolls.stop)
        switchboard = Switchboard(
            SwitchboardSettings(
                node_id=settings.node_id,
                version=__version__,
                media_timeout_s=settings.media_timeout_s,
            ),
            mixer=mixer,
            booth=booth,
            live=live,
            runs=runs,
            directory=directory,
            guard=guard,
            cdrs=cdrs,
            ivr=IvrSettings(answer_max_s=PIN_ANSWER_S),
            now=now_utc,
            tolls=tolls,
            city_instead=book.city_instead,
        )
        mixer.on_event = switchboard.on_mixer
        lines = SipLines(
            switchboard=switchboard,
            mixer=mixer,
            book=book,
            media_addresses=settings.media_addresses,
            nat=settings.media_from_anywhere,
            now=now_utc,
        )
        sip = SipEngine(_sip_config(settings), lines.from_sip_thread, book=book)
        lines.attach(sip)
        try:
            await asyncio.to_thread(sip.start)
        except SipConfigError as exc:
            raise StartError(str(exc)) from exc
        stack.push_async_callback(asyncio.to_thread, sip.stop)
        gateways = _gateways(book)
        attendance = await stack.enter_async_context(
            lifecycle(
                settings, stores=stores, live=live, directory=directory, secret=secret, gateways=gateways
            )
        )
        try:
            browsers = await stack.enter_async_context(
                browser_parts(settings, mixer=mixer, live=live, runs=runs, cdrs=cdrs, attendance=attendance)
            )
        except Unavailable as exc:
            raise StartError(str(exc)) from exc
        if browsers is not None:
            on_browsers = browsers[0].on_mixer

            def on_mixer(event: p.Event) -> None:
                switchboard.on_mixer(event)
                on_browsers(event)

            mixer.on_event = on_mixer
        twilio = await stack.enter_async_context(
            twilio_parts(settings, switchboard=switchboard, mixer=mixer, book=book, sessions=stores.sessions)
        )
        stack.push_async_callback(switchboard.close)

        watch = SettingWatch(live, feed, directory)

        async def keep_watch() -> None:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                watch.look()

        watching = asyncio.create_task(keep_watch())
        stack.callback(watching.cancel)

        registry = CollectorRegistry()
        registry.register(
            BridgeCollector(
                Parts(
                    switchboard=switchboard,
                    mixer=mixer,
                    sip=sip,
                    guard=guard,
                    cdrs=cdrs,
                    live=live,
                    twilio=twilio.lines if twilio else None,
                    browsers=browsers,
                    hooks=billing.parts.hooks,
                )
            )
        )

        def health() -> Health:
            state = cdrs.stats()
            return Health(
                checks={
                    "mixer": "ok" if mixer.ready else "the media worker is being restarted",
                    "records": "ok" if state.disk_ok else "the disk takes no call records",
                    "sip": "ok" if sip.lines else "pjsua2 is not running",
                    "browsers": "ok"
                    if browsers is None or browsers[1].ready
                    else "the WebRTC process is being restarted",
                    **{
                        f"trunk {trunk}": "ok" if ok else "its provider refuses our registration"
                        for trunk, ok in lines.registrations.items()
                    },
                }
            )

        app = create_app(
            Services(
                sessions=stores.sessions,
                readers=stores.readers,
                live=live,
                feed=feed,
                directory=directory,
                registry=registry,
                version=__version__,
                public_url=settings.web_address,
                secret=secret,
                billing=billing.parts,
                tolls=tolls,
                sockets_per_address=settings.sockets_per_address,
                web_hooks_allow_private=settings.web_hooks_allow_private,
                gate=NoBrowsers() if browsers is None else browsers[0],
                gateways=gateways,
                health=health,
                clock=asyncio.get_running_loop().time,
            )
        )
        if twilio is not None:
            app.mount(TWILIO_MOUNT, twilio.router)
        task = await web.serve(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws_max_size=WS_BYTES_MAX,
                ws_per_message_deflate=False,  # sound does not get smaller, only later
            )
        )
        stack.push_async_callback(web.stop)
        if twilio is not None:  # its calls end over the web server, so they end before it
            stack.push_async_callback(twilio.lines.close)
        yield (
            Banner(
                web=settings.web_address,
                sip=sip.addresses,
                lines=sip.lines,
                compiled_lines=compiled_lines(),
                pjsua2=sip.version,
                data_dir=settings.data_dir.absolute(),
                numbers=book.numbers,
                warnings=book.warnings,
                recovered=recovered,
                first=demo,
                sandbox=billing.sandbox_url,
            ),
            task,
        )


def _numbers(settings: Settings) -> NumberBook:
    try:
        return NumberBook.load(settings.numbers_file or NumberBook.default_path())
    except NumberBookError as exc:
        raise StartError(str(exc)) from exc


@contextlib.contextmanager
def _database(settings: Settings) -> Iterator[tuple[Stores, FirstRun | None]]:
    """The database, brought up to date; an empty one gets an organiser and a room to try."""
    with contextlib.ExitStack() as stack:
        try:
            stores = stack.enter_context(open_stores(settings))
            with stores.sessions.begin() as session:
                demo = seed(session, now=now_utc())
        except OSError as exc:
            raise StartError(f"the data folder {settings.data_dir} cannot be used: {exc}") from exc
        except (SQLAlchemyError, DatabaseError) as exc:
            where = settings.database.render_as_string(hide_password=True)
            raise StartError(f"the database {where} cannot be used: {_first_line(exc)}") from exc
        yield stores, demo


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]


def _languages(book: NumberBook) -> list[str]:
    """Languages of the numbers, those of most numbers first."""
    used = [number.language for number in book.numbers]
    return sorted(set(used), key=lambda language: (language not in ("fr", "en"), -used.count(language)))


def _for_mails(book: NumberBook) -> Sequence[Number]:
    return [
        Number(
            location=number.city_en, display=number.display, country=number.country, language=number.language
        )
        for number in book.numbers
    ]


def _gateways(book: NumberBook) -> Sequence[Gateway]:
    return [
        Gateway(
            code=number.id,
            location=number.city_en,
            number=number.number.value,
            display=number.display,
            country=number.country,
            language=number.language,
        )
        for number in book.numbers
    ]


def _sip_config(settings: Settings) -> SipConfig:
    transports = [Transport.UDP, Transport.TCP]
    if settings.tls_certificate is not None:
        transports.append(Transport.TLS)
    public = [ip for ip in settings.media_address if ip not in settings.sip_host]
    return SipConfig(
        hosts=settings.sip_host,
        port=settings.sip_port,
        tls_port=settings.sip_tls_port or None,
        transports=tuple(transports),
        tls_certificate=_path(settings.tls_certificate),
        tls_key=_path(settings.tls_key),
        public_address=public[0] if public else None,
        trunks=tuple(_trunk(trunk) for trunk in settings.trunks),
        max_calls=settings.max_calls,
        session_expires_s=settings.session_expires_s,
        user_agent=f"Tollbridge/{__version__}",
    )


def _mail_sender(settings: Settings) -> Sender:
    if settings.smtp_host is None:
        return FileSender(settings.mail_dir)
    password = settings.smtp_password
    return SmtpSender(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=None if password is None else password.get_secret_value(),
        bounces_to=settings.mail_bounces_to,
    )


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _trunk(trunk: TrunkSettings) -> Trunk:
    register = None
    if trunk.register_at is not None:
        register = Registration(
            registrar=trunk.register_at.registrar,
            user=trunk.register_at.user,
            password=trunk.register_at.password.get_secret_value(),
            expires_s=trunk.register_at.expires_s,
        )
    return Trunk(
        name=trunk.name,
        sources=trunk.sources,
        user=trunk.digest_user,
        password=None if trunk.digest_password is None else trunk.digest_password.get_secret_value(),
        default_number=trunk.default_number,
        country=trunk.country,
        register=register,
    )
