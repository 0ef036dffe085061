"""The page for operators names every reason to drop a packet, and the limits as they are."""

from __future__ import annotations

from pathlib import Path

from rooms.webrtc import ice, peer, reorder, sdp, transport
from rooms.webrtc.counters import DROPS

PAGE = (Path(__file__).parents[3] / "docs" / "webrtc.md").read_text()


def test_every_reason_to_drop_a_packet_is_explained() -> None:
    assert [reason for reason, meaning in DROPS.items() if f"| `{reason}` | {meaning} |" not in PAGE] == []


def test_limits_are_told_as_they_are() -> None:
    for sentence in (
        f"at most {sdp.OFFER_BYTES_MAX >> 10} KiB",
        f"at most {sdp.SECTIONS_MAX} sections",
        f"{sdp.CANDIDATES_MAX} of its candidates",
        f"at most {ice.GATHER_S} seconds",
        f"nothing comes for {peer.SILENT_S:.0f} seconds",
        f"within {transport.CONNECT_S:.0f} seconds",
        f"at most {1000 * reorder.WAIT_S:.0f} ms",
    ):
        assert sentence in PAGE, sentence
