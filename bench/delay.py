"""How long sound takes between a telephone and a browser, through the whole product.

    python -m bench.delay                 # 40 chirps each way
    python -m bench.delay --chirps 100

A real `tollbridge serve`, a telephone over SIP and RTP (G.711), and Chromium in the real room page; both
present, so that each hears the other.  Each side says a chirp every 1.2 s, and the time between the first
sample being said and the same sample being there on the other side is what is printed.  All clocks are the
machine's one wall clock.

What is counted:
    telephone → browser   from 20 ms before the telephone sends its packet (the first sample in it was spoken
                          then) to the moment in which the browser renders the sample, out of its jitter
                          buffer: an audio worklet on the stream that the page plays, with Date.now()
    browser → telephone   from the moment in which the worklet, which takes the place of the microphone, makes
                          the sample, through Chromium's encoder, to the arrival of the packet at the
                          telephone, plus the sample's place in it
What is not: the devices (sound card buffers; `outputLatency` is printed), echo cancellation, the telephone's
own jitter buffer, and a network: everything is on one machine.

A chirp is found by matched filter.  Places are known to a sample on the telephone, to 3 ms in the browser.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import select
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page

from tests.phones.rtp_phone import RtpPhone
from tests.phones.sip_phone import SipPhone
from tests.support.browser import chromium
from tests.support.product import Product, Room

Float = npt.NDArray[np.float64]

BROWSER_RATE = 48000
PHONE_RATE = 8000
CHIRP_S, FROM_HZ, TO_HZ = 0.1, 600.0, 2600.0
PERIOD_TICKS = 60
TICK_S = 0.02
WITHIN_S = 1.0
SURE = 0.5
"""Least normalised correlation of a chirp that counts as found."""

_WORKLET = """
registerProcessor("bench", class extends AudioWorkletProcessor {
  constructor({ processorOptions: { chirp, period } }) {
    super();
    Object.assign(this, { chirp, period, at: -period, heard: [], times: [] });
  }
  process([[input]], [[output]]) {
    const now = Date.now();
    for (let i = 0; i < output.length; i++, this.at++) {
      if (this.at === 0) this.port.postMessage({ said: now, at: i });
      if (this.at >= 0 && this.at < this.chirp.length) output[i] = this.chirp[this.at];
      if (this.at === this.period) this.at = -1;
    }
    this.heard.push(input ? input.slice() : new Float32Array(output.length));
    this.times.push(now);
    if (this.heard.length === 64) {
      this.port.postMessage({ heard: this.heard, times: this.times });
      this.heard = [];
      this.times = [];
    }
    return true;
  }
});
"""

_PAGE = """
({ worklet, chirp, period }) => {
  const bench = window.bench = { said: [], blocks: [], times: [] };
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...words) { super(...words); bench.peer = this; }
  };
  navigator.mediaDevices.getUserMedia = async () => {
    if (!bench.ready) {
      bench.context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
      const url = URL.createObjectURL(new Blob([worklet], { type: "text/javascript" }));
      await bench.context.audioWorklet.addModule(url);
      bench.node = new AudioWorkletNode(bench.context, "bench",
        { processorOptions: { chirp, period }, outputChannelCount: [1] });
      bench.node.port.onmessage = ({ data }) => {
        if (data.heard) { bench.blocks.push(...data.heard); bench.times.push(...data.times); }
        else bench.said.push(data.said + data.at / 48);
      };
      bench.microphone = bench.context.createMediaStreamDestination();
      bench.node.connect(bench.microphone);
      bench.ready = true;
    }
    return bench.microphone.stream.clone();
  };
  bench.listen = () => {
    bench.context.createMediaStreamSource(document.getElementById("remote").srcObject).connect(bench.node);
  };
  bench.buffered = async () => {
    const stats = [...(await bench.peer.getStats()).values()].find(({ type }) => type === "inbound-rtp");
    return [stats.jitterBufferDelay, stats.jitterBufferEmittedCount];
  };
  bench.take = () => {
    const all = new Int16Array(bench.blocks.length * 128);
    bench.blocks.forEach((block, at) => block.forEach((value, i) => { all[at * 128 + i] = 32767 * value; }));
    const bytes = new Uint8Array(all.buffer);
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return { heard: btoa(text), times: bench.times, said: bench.said,
      latency: [bench.context.baseLatency, bench.context.outputLatency] };
  };
}
"""


def chirp(rate: int) -> Float:
    """A sweep, 100 ms long, between −1 and 1, with soft ends."""
    t = np.arange(round(CHIRP_S * rate)) / rate
    phase = 2 * np.pi * (FROM_HZ * t + (TO_HZ - FROM_HZ) / (2 * CHIRP_S) * t**2)
    return np.asarray(np.sin(phase) * np.hanning(len(t)) ** 0.5)


def find(sound: Float, piece: Float) -> tuple[int, float]:
    """Where a piece begins in a sound, and how sure that is (0 to 1)."""
    size = 1 << (len(sound) + len(piece)).bit_length()
    products = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(piece, size)), size)
    products = products[: len(sound) - len(piece) + 1]
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    window = energy[len(piece) :] - energy[: -len(piece)]
    scores = products / np.sqrt(np.sum(piece**2) * np.maximum(window, 1e-3 * float(window.max()) + 1e-9))
    place = int(np.argmax(scores))
    return place, float(scores[place])


class Line:
    """Plays a telephone in real time, and takes packets when they come, not once a tick."""

    def __init__(self, phone: RtpPhone) -> None:
        self._phone = phone
        self.said: list[float] = []
        self._piece = np.append(chirp(PHONE_RATE) * 8000, np.zeros(160)).astype(np.int16)
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        phone.says = self._says

    def _says(self, tick: int) -> npt.NDArray[np.int16]:
        at = tick % PERIOD_TICKS
        if at == 0:
            self.said.append(time.time() - TICK_S)
        frame = self._piece[at * 160 : (at + 1) * 160]
        return frame if len(frame) == 160 else np.zeros(160, np.int16)

    def _run(self) -> None:
        due_s = time.time()
        while self._running:
            self._phone.tick(time.time())
            due_s += TICK_S
            while (wait_s := due_s - time.time()) > 0:
                readable, _, _ = select.select([self._phone._socket], [], [], wait_s)
                if readable:
                    self._phone._take(time.time())

    def __enter__(self) -> Line:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running = False
        self._thread.join()
        self._phone.close()

    def delays(self, said: list[float]) -> list[float]:
        """Seconds from each moment to the arrival of what was said then."""
        packets, piece = list(self._phone.heard), chirp(PHONE_RATE)
        sound = self._phone.sound().astype(np.float64)
        at = np.array([packet.at_s for packet in packets])
        found = []
        for moment in said:
            first, last = np.searchsorted(at, [moment, moment + WITHIN_S])
            if last - first < WITHIN_S / TICK_S * 0.8:
                continue
            place, sure = find(sound[first * 160 : last * 160], piece)
            if sure > SURE:
                found.append(at[first + place // 160] + place % 160 / PHONE_RATE - moment)
        return found


def delays_in_page(taken: dict[str, Any], said: list[float]) -> list[float]:
    """The same for what the page recorded."""
    sound = np.frombuffer(base64.b64decode(taken["heard"]), "<i2").astype(np.float64)
    start = np.array(taken["times"]) / 1000 - np.arange(len(taken["times"])) * 128 / BROWSER_RATE
    piece = chirp(BROWSER_RATE)
    # Blocks are made in bursts: what a block's time says of the beginning of all is a median around it.
    smooth = np.array([np.median(start[max(0, at - 375) : at + 375]) for at in range(0, len(start), 75)])
    found = []
    for moment in said:
        near = smooth[min(len(smooth) - 1, max(0, int((moment - smooth[0]) * BROWSER_RATE / 128 / 75)))]
        first = int((moment - near) * BROWSER_RATE)
        if first < 0 or first + WITHIN_S * BROWSER_RATE > len(sound):
            continue
        place, sure = find(sound[first : first + int(WITHIN_S * BROWSER_RATE)], piece)
        if sure > SURE:
            found.append(near + (first + place) / BROWSER_RATE - moment)
    return found


def told(way: str, delays: list[float], said: int) -> str:
    """One line of the result."""
    if not delays:
        return f"{way}: nothing of {said} chirps was found"
    ms = np.array(delays) * 1000
    low, middle, high = np.percentile(ms, [5, 50, 95])
    return (
        f"{way}: median {middle:.0f} ms, 5 % {low:.0f}, 95 % {high:.0f}, most {ms.max():.0f} "
        f"({len(ms)} of {said} chirps found)"
    )


def measure(product: Product, page: Page, *, chirps: int) -> None:
    """Print both delays."""
    room = product.new_room("Delay")
    with SipPhone(product.sip) as sip:
        phone = RtpPhone("PCMA")
        call = sip.dial("+33975129519", sdp=phone.sdp(), sender=f"<sip:+12025550111@{sip.host}>")
        answer = call.final(timeout_s=10.0)
        assert answer.status == 200, answer.start
        phone.connect(answer.body)
        with Line(phone) as line:
            phone.press(f"{room.presenter_pin}#")
            product.wait_for(lambda: len(room.people()) == 1, "the call in the room")
            _enter(page, room)
            phone.press("*")
            product.wait_for(
                lambda: [one["sound"] for one in room.people()] == ["phone", "web"], "the browser's sound"
            )
            page.evaluate("bench.listen()")
            time.sleep(3.0)
            begun, before = time.time(), page.evaluate("bench.buffered()")
            time.sleep(chirps * PERIOD_TICKS * TICK_S + WITHIN_S)
            taken, after = page.evaluate("bench.take()"), page.evaluate("bench.buffered()")
            end = time.time() - WITHIN_S
            spoken = [at for at in line.said if begun < at < end]
            shown = [at / 1000 for at in taken["said"] if begun < at / 1000 < end]
            print(told("telephone → browser", delays_in_page(taken, spoken), len(spoken)))
            buffered_ms = 1000 * (after[0] - before[0]) / (after[1] - before[1])
            print(f"  of it in Chromium's jitter buffer: {buffered_ms:.0f} ms on average")
            print(told("browser → telephone", line.delays(shown), len(shown)))
            base, output = (f"{1000 * each:.0f}" for each in taken["latency"])
            print(f"not counted: Chromium's own buffer {base} ms, its output device {output} ms")
            call.bye()


def _enter(page: Page, room: Room) -> None:
    """Go in as a presenter, with the worklet as microphone."""
    wishes = {
        "worklet": _WORKLET,
        "chirp": list(chirp(BROWSER_RATE) * 0.25),
        "period": round(PERIOD_TICKS * TICK_S * BROWSER_RATE * 1.013),  # not in step with packets
    }
    page.add_init_script(f"({_PAGE})({json.dumps(wishes)})")
    facts = room.facts()
    page.goto(f"{room.product.url}/{facts['name_url']}?l={facts['access_role_hashes']['presenter']}")
    page.fill("#name", "Browser")
    page.fill("#email", "browser@example.org")
    page.click("#enter")
    page.wait_for_selector("#room[data-phase=live][data-peer=connected]")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chirps", type=int, default=40)
    chirps: int = parser.parse_args().chirps
    print(f"load {os.getloadavg()[0]:.1f}, {chirps} chirps each way")
    with (
        tempfile.TemporaryDirectory() as folder,
        Product(Path(folder)) as product,
        chromium() as browser,
    ):
        context = browser.new_context(bypass_csp=True)
        measure(product, context.new_page(), chirps=chirps)
        context.close()


if __name__ == "__main__":
    main()
