/* My sound: one RTCPeerConnection with one audio transceiver, sendrecv, for as long as sound comes by browser.
 *
 * Theory. Offers are made here alone and answered through the live socket; candidates are gathered first
 * (1.5 s at most), so that one question and one answer make the connection and no trickling is needed
 * (RFC 8838 allows either). Every negotiation waits for the one before it.
 *
 * The microphone's track hangs on the sender only while the server takes this person's sound: without a
 * track a browser sends nothing at all, so that nothing a muted person says leaves the machine, and 500
 * listeners cost the server no received packets. `replaceTrack` needs no negotiation and takes milliseconds.
 *
 * When the path breaks (`disconnected` for 2 s, `failed`, a network that changed) ICE is restarted, and if
 * that has not helped after 6 s, a new connection is made from nothing.
 */

import { MicrophoneError, openMicrophone } from "../join/devices.js";
import { barsBetween, sampleOf } from "./quality.js";

const GATHER_MS = 1_500;
const DISCONNECTED_MS = 2_000;
const RESTART_HELPS_MS = 6_000;
const STATS_MS = 3_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_LONGEST_MS = 20_000;

export class Sound {
  /** `offer(sdp)` asks the server and resolves to its answer; `iceServers()` gives the list of now;
   *  `output` is an AudioOut; `tell(event)` takes "local/…" events. */
  constructor({ offer, iceServers, output, tell }) {
    this.offer = offer;
    this.iceServers = iceServers;
    this.output = output;
    this.tell = tell;
    this.pc = null;
    this.sender = null;
    this.track = null;
    this.stream = null;
    this.open = false;
    this.wanted = false;
    this.queue = Promise.resolve();
    this.timer = null;
    this.stats = null;
    this.retry_ms = RETRY_FIRST_MS;
    addEventListener("online", () => this.repair());
  }

  /** Begin: hear at once, and speak when a microphone can be had and is wanted. */
  async start(choice) {
    this.wanted = true;
    await this.setMicrophone(choice);
    await this.connect();
  }

  /** End all sound by browser and let go of the microphone. */
  stop() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.closePeer();
    this.releaseMicrophone();
    this.output.stop();
    this.tell({ type: "local/peer", peer: "off" });
    this.tell({ type: "local/microphone", microphone: "off" });
  }

  /** Open the microphone of this choice instead of the one before; without one for "listen". */
  async setMicrophone(choice) {
    this.releaseMicrophone();
    if (choice.way === "browser") {
      try {
        this.stream = await openMicrophone(choice);
      } catch (error) {
        if (!(error instanceof MicrophoneError)) throw error;
        this.tell({ type: "local/microphone", microphone: error.problem });
        return;
      }
      [this.track] = this.stream.getAudioTracks();
      this.track.addEventListener("ended", () => this.tell({ type: "local/microphone", microphone: "none" }));
    }
    this.tell({ type: "local/microphone", microphone: this.track === null ? "off" : "on" });
    this.applyOpen();
  }

  releaseMicrophone() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.track = null;
    this.applyOpen();
  }

  /** Whether my microphone may be heard from now on. */
  setOpen(open) {
    if (open === this.open) return;
    this.open = open;
    this.applyOpen();
  }

  applyOpen() {
    if (this.track !== null) this.track.enabled = this.open;
    const wanted = this.open ? this.track : null;
    if (this.sender !== null && this.sender.track !== wanted) {
      this.sender.replaceTrack(wanted).catch(() => this.repair());
    }
  }

  /** A connection from nothing. */
  async connect() {
    if (!this.wanted) return;
    clearTimeout(this.timer);
    this.closePeer();
    this.tell({ type: "local/peer", peer: "connecting" });
    const pc = new RTCPeerConnection({ iceServers: this.iceServers(), bundlePolicy: "max-bundle" });
    this.pc = pc;
    const transceiver = pc.addTransceiver("audio", { direction: "sendrecv" });
    this.sender = transceiver.sender;
    this.applyOpen();
    this.output.play(new MediaStream([transceiver.receiver.track]));
    pc.addEventListener("connectionstatechange", () => this.changed(pc));
    // Some browsers report a lost path on the ICE state alone.
    pc.addEventListener("iceconnectionstatechange", () => this.changed(pc));
    await this.negotiate(pc, false);
  }

  closePeer() {
    clearInterval(this.stats);
    this.pc?.close();
    this.pc = null;
    this.sender = null;
  }

  /** Offer and answer, one after the other; tried again later when the answer does not come. */
  negotiate(pc, iceRestart) {
    this.queue = this.queue.then(async () => {
      if (pc !== this.pc) return;
      try {
        await pc.setLocalDescription(await pc.createOffer({ iceRestart }));
        await gathered(pc);
        const sdp = await this.offer(pc.localDescription.sdp);
        if (pc === this.pc) await pc.setRemoteDescription({ type: "answer", sdp });
        this.retry_ms = RETRY_FIRST_MS;
      } catch (error) {
        if (pc === this.pc) this.later();
      }
    });
    return this.queue;
  }

  later() {
    clearTimeout(this.timer);
    this.tell({ type: "local/peer", peer: "failed" });
    this.timer = setTimeout(() => this.connect(), this.retry_ms);
    this.retry_ms = Math.min(this.retry_ms * 2, RETRY_LONGEST_MS);
  }

  changed(pc) {
    if (pc !== this.pc) return;
    const state = pc.iceConnectionState === "disconnected" ? "disconnected" : pc.connectionState;
    if (state === "connected") {
      clearTimeout(this.timer);
      this.tell({ type: "local/peer", peer: "connected" });
      this.measure(pc);
    } else if (state === "disconnected") {
      this.tell({ type: "local/peer", peer: "reconnecting" });
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.repair(), DISCONNECTED_MS);
    } else if (state === "failed") {
      this.repair();
    }
  }

  /** Look for a new path now, keeping the connection when that is enough. Also called when the live socket
   *  is back: the way may have changed without ICE knowing yet. */
  repair() {
    if (!this.wanted) return;
    clearTimeout(this.timer);
    if (this.pc === null || this.pc.signalingState === "closed" || this.pc.remoteDescription === null) {
      this.connect();
      return;
    }
    this.tell({ type: "local/peer", peer: "reconnecting" });
    this.timer = setTimeout(() => this.connect(), RESTART_HELPS_MS);
    this.negotiate(this.pc, true).then(() => {
      // A restart that found the same path again changes no state, so nothing else reports it.
      if (this.pc?.connectionState === "connected") this.changed(this.pc);
    });
  }

  measure(pc) {
    clearInterval(this.stats);
    let before = null;
    this.stats = setInterval(async () => {
      const after = sampleOf(await pc.getStats());
      const bars = before === null ? null : barsBetween(before, after);
      before = after;
      if (bars !== null && pc === this.pc) this.tell({ type: "local/bars", bars });
    }, STATS_MS);
  }
}

/** Resolves when all candidates are in the local description, or after GATHER_MS with those there are. */
function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER_MS);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState === "complete") {
        clearTimeout(timer);
        resolve();
      }
    });
  });
}
