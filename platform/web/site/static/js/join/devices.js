/* Microphones and loudspeakers: find them, open them, and say in plain words what is wrong.
 *
 * What a visitor chose is kept in localStorage (`tollbridge.sound`), on this device only: device ids mean
 * nothing elsewhere. A browser that keeps nothing (private windows) still works, with the defaults.
 */

const KEY = "tollbridge.sound";

export const DEFAULTS = Object.freeze({
  way: "browser", // browser | phone | listen
  microphone: "",
  speaker: "",
  echo: true,
  noise: true,
});

export function loadChoice() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...DEFAULTS };
  }
}

export function saveChoice(choice) {
  try {
    localStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // Nothing is kept then, and nothing depends on it.
  }
}

/** Constraints of getUserMedia for a choice. Levels are left to us: the mixer levels everybody alike. */
export function constraintsFor({ microphone, echo, noise }) {
  const audio = { echoCancellation: echo, noiseSuppression: noise, autoGainControl: true, channelCount: 1 };
  if (microphone) audio.deviceId = { exact: microphone };
  return { audio, video: false };
}

/** The problem behind an error: insecure | unsupported | denied | dismissed | none | busy | failed. */
export function problemOf(error) {
  if (!globalThis.isSecureContext) return "insecure";
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return /dismissed/i.test(error.message) ? "dismissed" : "denied";
    case "NotFoundError":
      return "none";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "failed";
  }
}

/** A microphone that does not work, with its `problem`. */
export class MicrophoneError extends Error {
  constructor(problem, cause) {
    super(problem, { cause });
    this.problem = problem;
  }
}

/** Open the microphone; the chosen one, or, when it was unplugged, any. Raises MicrophoneError. */
export async function openMicrophone(choice) {
  if (!globalThis.isSecureContext) throw new MicrophoneError("insecure");
  if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("unsupported");
  try {
    return await navigator.mediaDevices.getUserMedia(constraintsFor(choice));
  } catch (error) {
    if (choice.microphone && ["OverconstrainedError", "NotFoundError"].includes(error.name)) {
      return openMicrophone({ ...choice, microphone: "" });
    }
    throw new MicrophoneError(problemOf(error), error);
  }
}

/** {microphones, speakers}: lists of {id, label}; labels are empty until the microphone was allowed. */
export async function listDevices() {
  const found = { microphones: [], speakers: [] };
  if (!navigator.mediaDevices?.enumerateDevices) return found;
  for (const device of await navigator.mediaDevices.enumerateDevices()) {
    if (device.deviceId === "" || device.deviceId === "communications") continue;
    const entry = { id: device.deviceId === "default" ? "" : device.deviceId, label: device.label };
    if (device.kind === "audioinput") found.microphones.push(entry);
    if (device.kind === "audiooutput") found.speakers.push(entry);
  }
  return found;
}

export function canChooseSpeaker() {
  return "setSinkId" in HTMLMediaElement.prototype;
}

/** Fill a <select> with devices, keep the choice, and name those without a label by number. */
export function fillSelect(select, devices, chosen, { standard, numbered }) {
  const options = devices.some(({ id }) => id === "") ? [] : [new Option(standard, "")];
  devices.forEach(({ id, label }, at) => {
    options.push(new Option(label || (id === "" ? standard : numbered(at + 1)), id));
  });
  select.replaceChildren(...options);
  select.value = chosen;
  if (select.selectedIndex < 0) select.value = "";
  select.disabled = options.length < 2;
}
