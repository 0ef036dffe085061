/* How loud the microphone is, 0 to 1, and a tone to try the loudspeaker with.
 *
 * The level is the RMS of the last 2,048 samples (43 ms at 48 kHz) in decibels, -60 dBFS … -6 dBFS drawn as
 * 0 … 1: linear amplitude would leave ordinary speech in the lowest tenth of the bar. It rises at once and
 * falls 1.5 of the scale a second, as a sound engineer's meter does.
 */

const FLOOR_DB = -60;
const TOP_DB = -6;
const FALL_PER_S = 1.5;

/** 0..1 for the RMS of float samples in -1..1. */
export function levelOf(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (TOP_DB - FLOOR_DB)));
}

export class Meter {
  /** Calls `show(level)` once a frame while it runs. */
  constructor(show) {
    this.show = show;
    this.context = null;
    this.frame = null;
  }

  start(stream) {
    this.stop();
    this.context = new AudioContext();
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 2048;
    this.context.createMediaStreamSource(stream).connect(analyser);
    this.context.resume().catch(() => {});
    const samples = new Float32Array(analyser.fftSize);
    let shown = 0;
    let last_ms = performance.now();
    const step = (now_ms) => {
      analyser.getFloatTimeDomainData(samples);
      const fallen = shown - (FALL_PER_S * (now_ms - last_ms)) / 1000;
      last_ms = now_ms;
      shown = Math.max(0, levelOf(samples), fallen);
      this.show(shown);
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  stop() {
    if (this.frame !== null) cancelAnimationFrame(this.frame);
    this.frame = null;
    this.context?.close();
    this.context = null;
    this.show(0);
  }
}

/** Three soft notes on the chosen loudspeaker; resolves when they are over. */
export async function playTestTone(speakerId = "") {
  const context = new AudioContext();
  try {
    if (speakerId && "setSinkId" in context) await context.setSinkId(speakerId).catch(() => {});
    await context.resume();
    const begin = context.currentTime + 0.05;
    [523.25, 659.25, 783.99].forEach((hz, at) => {
      const note = context.createOscillator();
      const gain = context.createGain();
      const from = begin + at * 0.28;
      note.frequency.value = hz;
      gain.gain.setValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(0.25, from + 0.03);
      gain.gain.exponentialRampToValueAtTime(0.001, from + 0.5);
      note.connect(gain).connect(context.destination);
      note.start(from);
      note.stop(from + 0.5);
    });
    await new Promise((resolve) => setTimeout(resolve, 1200));
  } finally {
    await context.close();
  }
}
