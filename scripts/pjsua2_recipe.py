"""What exactly is built when Tollbridge builds pjsua2, and under which name the result is cached.

The wheel on the package index is compiled for four calls. Everything that makes ours a bridge is in
CONFIG_SITE. Memory, measured on x86-64 with this recipe: 72 MB resident after start with 4,096 lines (the
call table is untouched zero pages until a line is used), then 130 kB per call that is up
(docs/decisions/pjsua2-from-source.md).
"""

from __future__ import annotations

import hashlib
import platform
import sysconfig
from pathlib import Path

VERSION = "2.17"

# The release as GitHub makes it from the tag: https://github.com/pjsip/pjproject, tag 2.17, commit
# 5a457451fa2712ba18e12b01738e8ff3af2b26fd. The hash is of the *uncompressed* tar, since only that is
# reproducible (`git archive --format=tar --prefix=pjproject-2.17/ 2.17 | sha256sum`); gzip's output depends
# on who compresses. It was established from a clone of the repository, because the download host could not
# be reached when this was written. Anything else is refused.
UPSTREAM_URL = f"https://github.com/pjsip/pjproject/archive/refs/tags/{VERSION}.tar.gz"
UPSTREAM_TAR_SHA256 = "a56dd79d978ce8d796969ee3f43b6e9e586d38aec7328645504f5b4e6255ad2c"

FALLBACK_REQUIREMENT = "pjsua2-python==2.15.1.post1"

LINES = 4096

CONFIG_SITE = f"""
#define PJ_HAS_IPV6 1
#define PJ_LOG_MAX_LEVEL 3
/* One handle per TCP or TLS connection. */
#define PJ_IOQUEUE_MAX_HANDLES 8192
#define PJSIP_MAX_NET_EVENTS 16
#define PJSIP_TCP_TRANSPORT_BACKLOG 128
/* Powers of two minus one. A call has one dialog; a transaction lingers 32 s (64*T1) after its answer. */
#define PJSIP_MAX_TSX_COUNT 16383
#define PJSIP_MAX_DIALOG_COUNT 8191
#define PJSIP_MAX_PKT_LEN 16000
#define PJSIP_MAX_URL_SIZE 1024
#define PJSIP_UDP_SO_RCVBUF_SIZE (4*1024*1024)
#define PJSIP_UDP_SO_SNDBUF_SIZE (4*1024*1024)
#define PJSUA_MAX_CALLS {LINES}
#define PJSUA_MAX_ACC 128
#define PJSUA_MAX_PLAYERS 4
#define PJSUA_MAX_RECORDERS 4
#define PJSUA_MAX_BUDDIES 4
/* A line is two arrays of media slots: 8 m-lines instead of 16 halve it, and no phone offers more. */
#define PJMEDIA_MAX_SDP_MEDIA 8
#define PJ_ICE_MAX_CAND 4
/* No sound passes here, and the switch board takes ports of any clock rate without a resampler,
   which Debian's copy of the source lacks. */
#define PJMEDIA_CONF_USE_SWITCH_BOARD 1
"""

_WITHOUT = (
    "resample",
    "video",
    "sound",
    "sdl",
    "ffmpeg",
    "v4l2",
    "openh264",
    "vpx",
    "libyuv",
    "libwebrtc",
    "libsrtp",
    "upnp",
    "opus",
    "silk",
    "bcg729",
    "lyra",
    "opencore-amr",
    "ilbc-codec",
    "gsm-codec",
    "speex-codec",
    "speex-aec",
    "g7221-codec",
    "l16-codec",
)
CONFIGURE = ["--enable-epoll", *(f"--disable-{part}" for part in _WITHOUT)]

# NDEBUG: an assertion must not end the process because of what came from the network; the code behind each
# checks.
LIBRARY_FLAGS = "-O2 -fPIC -DNDEBUG -w"
# 160,000 generated lines of glue: -O1 compiles in two thirds of the time of -O3 and costs nothing measurable.
WRAPPER_FLAGS = "-O1 -g0 -fPIC -DNDEBUG -w -fvisibility=hidden"


# Answers 200 where pjsua answers 500 and pjsua2 gives us no way to answer: OPTIONS inside a call, INFO with
# application/dtmf. The four-line wheel lacks it; keys arrive there too, only the answer is 500.
PATCH = Path(__file__).with_name("pjsua2.patch")


def cache_key() -> str:
    """Name of the built wheel's cache folder: changes with recipe, Python ABI and system."""
    release = ""
    if hasattr(platform, "freedesktop_os_release"):
        try:
            facts = platform.freedesktop_os_release()
            release = f"{facts.get('ID', '')}{facts.get('VERSION_ID', '')}"
        except OSError:
            release = ""
    parts = [
        VERSION,
        CONFIG_SITE,
        PATCH.read_text(),
        " ".join(CONFIGURE),
        LIBRARY_FLAGS,
        WRAPPER_FLAGS,
        str(sysconfig.get_config_var("SOABI")),
        sysconfig.get_platform(),
        release,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
