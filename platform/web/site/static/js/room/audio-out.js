/* What one hears: an audio element for the room's sound, on the chosen loudspeaker, with a word to the page
 * when the browser wants a click first (autoplay).
 */

export class AudioOut {
  constructor(element, { onBlocked }) {
    this.element = element;
    this.onBlocked = onBlocked;
  }

  async play(stream) {
    this.element.srcObject = stream;
    await this.resume();
  }

  /** Try to play; call it again from a click when it was blocked. */
  async resume() {
    if (this.element.srcObject === null) return;
    try {
      await this.element.play();
      this.onBlocked(false);
    } catch (error) {
      // AbortError: another play() came in between, and that one reports.
      if (error.name === "NotAllowedError") this.onBlocked(true);
    }
  }

  stop() {
    this.element.pause();
    this.element.srcObject = null;
    this.onBlocked(false);
  }

  /** Play on this device ("" is the system's choice). False where the browser cannot choose, or it is gone. */
  async choose(deviceId) {
    if (!("setSinkId" in this.element)) return false;
    try {
      await this.element.setSinkId(deviceId);
      return true;
    } catch {
      return false;
    }
  }
}
