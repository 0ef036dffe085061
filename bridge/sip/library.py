"""Starting pjsua2: endpoint, transports, accounts. Called on the thread that owns it.

pjsua2 allows one Endpoint per process, makes no sound here (no device, no media threads, loopback media
transports) and starts no threads of its own. Its log goes to structlog with long digit strings masked: they
may be telephone numbers.
"""
# ruff: noqa: N802 - pjsua2's names

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pjsua2 as pj
import structlog

from bridge.sip.config import Registration, SipConfig, Transport
from bridge.sip.errors import SipConfigError

if TYPE_CHECKING:
    from bridge.sip.engine import SipEngine

_log = structlog.get_logger("bridge.sip")
FEW_LINES = 4
"""What the index's wheel is compiled for. It has no IPv6 either, and aborts when asked for it."""
_RESERVE = 96
"""Lines beyond `max_calls`, where refusals can wait and calls that are ending can end."""
_LOG_LINES_PER_S = 10
_DIGITS = re.compile(r"\d{6,}")


def compiled_lines() -> int:
    """How many calls pjsua2 was compiled for."""
    return int(pj.EpConfig().uaConfig.maxCalls)


class _LogWriter(pj.LogWriter):  # type: ignore[misc]
    """Errors only, their first line only (the rest may be a stranger's packet), and ten a second at most."""

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._count = 0

    def write(self, entry: Any) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count <= _LOG_LINES_PER_S:
            text = str(entry.msg).strip().partition("\n")[0]
            _log.warning("pjsip", text=_DIGITS.sub("…", text[13:])[:200])


class Endpoint(pj.Endpoint):  # type: ignore[misc]
    """The library; reports calls that pjsip refused before we were asked."""

    def __init__(self, engine: SipEngine) -> None:
        super().__init__()
        self._engine = engine

    def onRejectedIncomingCall(self, prm: Any) -> None:
        """pjsip itself answered 4xx or 5xx."""
        self._engine.rejected_by_library(
            int(prm.callId), int(prm.statusCode), prm.rdata.wholeMsg, prm.rdata.srcAddress
        )


class Account(pj.Account):  # type: ignore[misc]
    """Our side of calls and registrations."""

    def __init__(self, engine: SipEngine, trunk: str | None) -> None:
        super().__init__()
        self._engine = engine
        self.trunk = trunk

    def onIncomingCall(self, prm: Any) -> None:
        """An INVITE that opens a call."""
        self._engine.incoming(self, int(prm.callId), prm.rdata.wholeMsg, prm.rdata.srcAddress)

    def onIncomingSubscribe(self, prm: Any) -> None:
        """Nobody may watch us."""
        prm.code = 403

    def onRegState(self, prm: Any) -> None:
        """A registrar answered, or did not."""
        if self.trunk is not None:
            self._engine.registered(self.trunk, int(prm.code), int(prm.expiration), prm.rdata.srcAddress)


def start_library(engine: SipEngine, config: SipConfig) -> tuple[Endpoint, Any, int]:
    """(endpoint, log writer to keep, usable lines).

    Raises:
        SipConfigError: pjsua2 does not start.
    """
    compiled = compiled_lines()
    lines = min(config.max_calls, max(1, compiled - _RESERVE) if compiled > 2 * _RESERVE else compiled)
    settings = pj.EpConfig()
    settings.uaConfig.maxCalls = min(compiled, lines + _RESERVE)
    settings.uaConfig.threadCnt = 0
    settings.uaConfig.mainThreadOnly = True
    settings.uaConfig.userAgent = config.user_agent
    settings.medConfig.threadCnt = 0
    settings.medConfig.hasIoqueue = False
    settings.medConfig.maxMediaPorts = lines + _RESERVE + 8
    settings.medConfig.clockRate = 8000
    settings.medConfig.noVad = True
    settings.medConfig.jbMax = 10
    settings.logConfig.level = 1
    settings.logConfig.consoleLevel = 1
    settings.logConfig.msgLogging = 0
    writer = _LogWriter()
    settings.logConfig.writer = writer
    endpoint = Endpoint(engine)
    try:
        endpoint.libCreate()
        endpoint.libInit(settings)
        writer.__disown__()  # libDestroy deletes it
        endpoint.audDevManager().setNoDev()
        for codec in endpoint.codecEnum2():
            name = codec.codecId.partition("/")[0]
            endpoint.codecSetPriority(codec.codecId, 128 if engine.codec_named(name) else 0)
    except pj.Error as error:
        raise SipConfigError(f"pjsua2 does not start: {error.reason}") from error
    return endpoint, writer, lines


def open_transports(endpoint: Endpoint, config: SipConfig) -> dict[str, tuple[int, str]]:
    """Listen everywhere; `transport host` → (pjsua2's id, `host:port` with the real port).

    Raises:
        SipConfigError: an address or port cannot be had.
    """
    opened: dict[str, tuple[int, str]] = {}
    kinds: list[Transport] = [kind for kind in config.transports if kind != Transport.TLS]
    if config.tls_certificate is not None:
        kinds.append(Transport.TLS)
    port = config.port
    hosts = [host for host in config.hosts if ":" not in host or compiled_lines() > FEW_LINES]
    if len(hosts) < len(config.hosts):
        _log.warning("sip_without_ipv6", advice="this pjsua2 is the four-line wheel; run: make pjsua2")
    if not hosts:
        raise SipConfigError("this pjsua2 is the four-line wheel and has no IPv6; run: make pjsua2")
    for host in hosts:
        for kind in kinds:
            wanted = port if kind != Transport.TLS else _tls_port(config, port)
            try:
                transport_id, name = _open(endpoint, config, kind, host, wanted)
            except pj.Error as error:
                if config.port != 0:
                    raise SipConfigError(
                        f"cannot listen for SIP on {host} port {wanted} ({kind}): {error.reason}"
                    ) from error
                transport_id, name = _open(endpoint, config, kind, host, 0)
            opened[f"{kind} {host}"] = (transport_id, name)
            if port == 0:
                port = int(name.rpartition(":")[2])
    return opened


def _tls_port(config: SipConfig, port: int) -> int:
    if config.tls_port is not None:
        return config.tls_port
    return port + 1 if config.port else 0


def _open(endpoint: Endpoint, config: SipConfig, kind: Transport, host: str, port: int) -> tuple[int, str]:
    settings = pj.TransportConfig()
    settings.port = port
    settings.boundAddress = host
    if config.public_address is not None and (":" in config.public_address) == (":" in host):
        settings.publicAddress = config.public_address
    if kind is Transport.TLS:
        assert config.tls_certificate is not None
        assert config.tls_key is not None
        settings.tlsConfig.certFile = config.tls_certificate
        settings.tlsConfig.privKeyFile = config.tls_key
        settings.tlsConfig.verifyClient = False
        settings.tlsConfig.verifyServer = False
    suffix = "6" if ":" in host else ""
    number = getattr(pj, f"PJSIP_TRANSPORT_{kind.upper()}{suffix}")
    transport_id = int(endpoint.transportCreate(number, settings))
    info = endpoint.transportGetInfo(transport_id)
    shown = str(info.localAddress)
    real_port = shown.rpartition(":")[2]
    return transport_id, f"[{host}]:{real_port}" if ":" in host else f"{host}:{real_port}"


def account_settings(config: SipConfig, address: str, register: Registration | None) -> Any:
    """Settings of our account, with an outbound registration or without."""
    settings = pj.AccountConfig()
    settings.idUri = f"sip:tollbridge@{address}"
    if register is not None:
        registrar = register.registrar if ":" in register.registrar[:5] else f"sip:{register.registrar}"
        if not registrar.lower().startswith(("sip:", "sips:")):
            registrar = f"sip:{register.registrar}"
        parameter = "" if register.transport is Transport.UDP else f";transport={register.transport}"
        host = registrar.partition(":")[2].partition(";")[0]
        settings.idUri = f"sip:{register.user}@{host}"
        settings.regConfig.registrarUri = registrar + parameter
        settings.regConfig.timeoutSec = register.expires_s
        settings.regConfig.retryIntervalSec = 30
        settings.regConfig.firstRetryIntervalSec = 5
        settings.regConfig.dropCallsOnFail = False
        settings.sipConfig.authCreds.push_back(
            pj.AuthCredInfo("digest", "*", register.user, 0, register.password)
        )
    settings.callConfig.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL
    settings.callConfig.timerMinSESec = config.session_min_s
    settings.callConfig.timerSessExpiresSec = config.session_expires_s
    settings.callConfig.prackUse = pj.PJSUA_100REL_NOT_USED
    settings.mediaConfig.useLoopMedTp = True
    settings.mediaConfig.enableLoopback = False
    settings.mediaConfig.lockCodecEnabled = False
    settings.mediaConfig.streamKaEnabled = False
    settings.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_DISABLED
    if compiled_lines() > FEW_LINES:
        settings.mediaConfig.ipv6Use = pj.PJSUA_IPV6_ENABLED_NO_PREFERENCE
        settings.sipConfig.ipv6Use = pj.PJSUA_IPV6_ENABLED_NO_PREFERENCE
    settings.natConfig.contactRewriteUse = 0
    settings.natConfig.viaRewriteUse = False
    settings.natConfig.sdpNatRewriteUse = False
    settings.presConfig.publishEnabled = False
    settings.mwiConfig.enabled = False
    return settings
