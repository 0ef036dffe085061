/* The choice of sound: browser, phone or only listening; microphone with its level; loudspeaker with a test.
 * The join page and the room's dialog show the same fields under the same ids and share this.
 */

import { t } from "../../i18n.js";
import { setHidden, setText } from "../room/dom.js";
import { microphoneHelp } from "../room/words.js";
import { MicrophoneError, canChooseSpeaker, fillSelect, listDevices, openMicrophone } from "./devices.js";
import { Meter, playTestTone } from "./meter.js";

export class SoundForm {
  /** `root` holds the fields; `choice` is what was kept; `onChange(choice)` hears each change. */
  constructor(root, choice, onChange = () => {}) {
    this.root = root;
    this.choice = { ...choice };
    this.onChange = onChange;
    this.stream = null;
    this.opening = 0;
    const at = (id) => root.querySelector(`#sound-${id}`);
    this.microphone = at("microphone");
    this.speaker = at("speaker");
    this.problem = at("problem");
    this.test = at("test");
    const bar = at("meter");
    this.meter = new Meter((level) => {
      bar.style.setProperty("--level", level.toFixed(3));
      const percent = Math.round(level * 10) * 10;
      if (bar.getAttribute("aria-valuenow") !== String(percent)) bar.setAttribute("aria-valuenow", percent);
    });
    for (const radio of root.querySelectorAll("input[name=way]")) {
      radio.addEventListener("change", () => this.set({ way: radio.value }, true));
    }
    this.microphone.addEventListener("change", () => this.set({ microphone: this.microphone.value }, true));
    this.speaker.addEventListener("change", () => this.set({ speaker: this.speaker.value }, false));
    for (const name of ["echo", "noise"]) {
      at(name).addEventListener("change", () => this.set({ [name]: at(name).checked }, true));
    }
    this.test.addEventListener("click", () => this.playTest());
    navigator.mediaDevices?.addEventListener?.("devicechange", () => {
      if (this.stream !== null) this.fill();
    });
    this.show();
  }

  /** Begin with this choice: show it and open its microphone. */
  use(choice) {
    this.choice = { ...choice };
    this.show();
    return this.open();
  }

  set(fields, reopen) {
    this.choice = { ...this.choice, ...fields };
    this.onChange(this.choice);
    this.show();
    if (reopen) this.reopen();
  }

  /** A choice of microphone was changed; the join page asks before it opens one. */
  reopen() {
    this.open();
  }

  /** Put the choice into the fields, and show only those that belong to the way chosen. */
  show() {
    for (const radio of this.root.querySelectorAll("input[name=way]")) radio.checked = radio.value === this.choice.way;
    for (const part of this.root.querySelectorAll("[data-way]")) {
      setHidden(part, !part.dataset.way.split(" ").includes(this.choice.way));
    }
    for (const name of ["echo", "noise"]) this.root.querySelector(`#sound-${name}`).checked = this.choice[name];
  }

  /** Open the microphone of the choice (which may ask the visitor) and draw its level. */
  async open() {
    const turn = ++this.opening;
    this.close();
    this.opening = turn;
    setHidden(this.problem, true);
    if (this.choice.way === "browser") {
      try {
        const stream = await openMicrophone(this.choice);
        if (turn !== this.opening) {
          for (const track of stream.getTracks()) track.stop();
          return;
        }
        this.stream = stream;
        this.meter.start(stream);
      } catch (error) {
        if (!(error instanceof MicrophoneError)) throw error;
        if (turn === this.opening) this.tell(error.problem);
      }
    }
    await this.fill();
  }

  tell(problem) {
    const [headline, help] = microphoneHelp(problem);
    setText(this.problem.querySelector("b"), headline);
    setText(this.problem.querySelector("span"), help);
    this.problem.dataset.problem = problem;
    setHidden(this.problem, false);
  }

  async fill() {
    const { microphones, speakers } = await listDevices();
    fillSelect(this.microphone, microphones, this.choice.microphone, {
      standard: t("The system's microphone"),
      numbered: (n) => t("Microphone {n}", { n }),
    });
    fillSelect(this.speaker, speakers, this.choice.speaker, {
      standard: t("The system's loudspeaker"),
      numbered: (n) => t("Loudspeaker {n}", { n }),
    });
    if (!canChooseSpeaker()) this.speaker.disabled = true;
    const fixed = this.root.querySelector("#speaker-fixed");
    if (fixed !== null) setHidden(fixed, canChooseSpeaker());
  }

  async playTest() {
    this.test.setAttribute("aria-busy", "true");
    try {
      await playTestTone(this.choice.speaker);
    } finally {
      this.test.removeAttribute("aria-busy");
    }
  }

  /** Let go of the microphone. */
  close() {
    this.opening += 1;
    this.meter.stop();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
  }
}
