/* The room page: puts the parts together. State flows one way: socket → reducer → views; what people do goes
 * to the server, and comes back as an event before it is shown (but for my own mute, which the microphone
 * obeys at once).
 */

import { t } from "../../i18n.js";
import { loadChoice, saveChoice } from "../join/devices.js";
import { SoundForm } from "../join/sound-form.js";
import { Announcer } from "./announce.js";
import { AudioOut } from "./audio-out.js";
import { Bar } from "./bar.js";
import { Curtain } from "./curtain.js";
import { Dialogs, Menu, toast } from "./dialogs.js";
import { Dock } from "./dock.js";
import { byId, el, setText, useIcons } from "./dom.js";
import { installShortcuts } from "./keys.js";
import { PeopleView } from "./people-view.js";
import { personMenu } from "./person-menu.js";
import { Phone } from "./phone.js";
import { PresenterControls } from "./presenter.js";
import { QuestionsView } from "./questions-view.js";
import { EMPTY, microphoneOpen, mine, reduce } from "./reducer.js";
import { LiveSocket, Refused } from "./socket.js";
import { Sound } from "./sound.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { eventFrom, snapshotFrom } from "./wire.js";
import { refusal } from "./words.js";

const LINES_KEPT = 30;
const ASLEEP_MS = 10_000;

const root = byId("room");
useIcons(root.dataset.icons);
const store = new Store(reduce, EMPTY);
const state = () => store.state;
const tell = (event) => store.dispatch(event);
const now_s = () => performance.now() / 1000;
let choice = loadChoice();
let iceServers = [];

// Words for screen readers

const announcer = new Announcer();
const log = byId("announcements");

function say(sentences) {
  for (const sentence of sentences) log.append(el("p", { text: sentence }));
  while (log.childElementCount > LINES_KEPT) log.firstElementChild.remove();
}

setInterval(() => say(announcer.tick(state(), now_s())), 500);

// The server

const url = new URL(root.dataset.socket, location.href);
// For the statistics of the event: where people were.
url.searchParams.set("tz", Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
url.protocol = url.protocol === "https:" ? "wss:" : "ws:";

const socket = new LiveSocket(url.href, {
  lastSeq: () => (state().stale ? null : state().seq),
  onMessage,
  onLink,
});

/** Ask the server for something; shows why when it is refused. The answer's fields, or null. */
async function ask(what, fields = {}) {
  try {
    return await socket.ask(what, fields);
  } catch (error) {
    const text = error instanceof Refused ? refusal(error.slug) : t("The connection was lost. Please try again.");
    toast(text, { kind: "bad" });
    return null;
  }
}

function onMessage(message) {
  if (message.state !== undefined) {
    const snapshot = snapshotFrom(message.state);
    iceServers = snapshot.iceServers;
    tell({ type: "local/state", snapshot });
  }
  if (message.event !== undefined) tell(eventFrom(message));
  if (message.sound !== undefined) tell({ type: "local/sound", ...message.sound });
  if (message.removed !== undefined) tell({ type: "local/removed" });
}

const CLOSED = { 4000: "ended", 4001: "elsewhere", 4002: "left", 4003: "removed", 4410: "ended" };
const TICKET_OLD = 4403;
/** How long one can read that it is over, before the thank-you page comes. */
const READ_MS = 4000;

function onLink(link, detail = null) {
  if (detail === TICKET_OLD) location.assign(root.dataset.join);
  else if (link === "closed") tell({ type: "local/link", link: CLOSED[detail] });
  else tell({ type: "local/link", link, refusal: detail });
}

let asking = false;

/** The whole state anew, once at a time. */
async function refresh() {
  if (asking || !socket.live) return;
  asking = true;
  try {
    await socket.ask("state");
  } catch {
    // The connection broke: it begins with the state when it is back.
  } finally {
    asking = false;
  }
}

// Sound

const output = new AudioOut(byId("remote"), { onBlocked: (blocked) => tell({ type: "local/blocked", blocked }) });
const sound = new Sound({
  offer: async (sdp) => (await socket.ask("offer", { sdp })).sdp,
  iceServers: () => iceServers,
  output,
  tell,
});
let sounding = false;

/** Sound by browser runs while I am in the room and no telephone is my sound. */
function steerSound(now) {
  const wanted = now.seq !== null && (now.link === "live" || now.link === "lost") && !mine(now)?.devices.has("phone");
  if (wanted && !sounding) {
    sounding = true;
    output.choose(choice.speaker);
    sound.start({ ...choice, way: choice.way === "browser" ? "browser" : "listen" });
  } else if (!wanted && sounding) {
    sounding = false;
    sound.stop();
    // The server would find out by itself, a little later.
    socket.ask("sound_off").catch(() => {});
  }
  sound.setOpen(microphoneOpen(now));
}

store.watch((now, event, before) => {
  say(announcer.on(now, event, before, now_s()));
  if (now.stale) refresh();
  steerSound(now);
  if (before.link === "lost" && now.link === "live" && sounding) sound.repair();
  if (event.type === "phone_linked" && event.participant === now.me?.id) {
    toast(t("Your phone is your sound now."), { kind: "good" });
    byId("dialog-phone").close("");
  }
  if (event.type === "muted" && event.participant === now.me?.id && event.by === "presenter") {
    toast(t("A presenter muted you. You can unmute yourself."));
  }
  if (event.type === "floor_given" && event.participant === now.me?.id) toast(t("You have the floor. Everybody hears you."), { kind: "good" });
  if (["ended", "elsewhere", "left"].includes(now.link)) socket.stop();
  if (["ended", "left"].includes(now.link) && before.link !== now.link) {
    setTimeout(() => location.assign(`${root.dataset.join}/thanks`), READ_MS);
  }
});

// What people do

function toggleMute() {
  const me = mine(state());
  if (me === null || state().link !== "live") return;
  const muted = !(state().pendingMute ?? me.muted);
  tell({ type: "local/mute", muted });
  ask(muted ? "mute" : "unmute", { participant: me.id }).then((answer) => {
    if (answer === null || mine(state())?.muted === muted) tell({ type: "local/mute", muted: null });
  });
}

function toggleHand() {
  const me = mine(state());
  if (me === null) return;
  if (me.floor) ask("take_floor", { participant: me.id });
  else ask("ask_question");
}

const dialogs = new Dialogs();
dialogs.install();
const menu = new Menu();
let soundForm = null;

async function changeSound() {
  if (mine(state())?.devices.has("phone")) {
    phone.open();
    return;
  }
  soundForm ??= new SoundForm(byId("dialog-sound"), choice);
  soundForm.use(choice);
  const answer = await dialogs.open("dialog-sound");
  soundForm.close();
  if (answer !== "ok") return;
  const before = choice;
  choice = soundForm.choice;
  saveChoice(choice);
  output.choose(choice.speaker);
  if (sounding && ["way", "microphone", "echo", "noise"].some((name) => before[name] !== choice[name])) {
    await sound.setMicrophone({ ...choice, way: choice.way === "browser" ? "browser" : "listen" });
  } else if (sounding && !["on", "off"].includes(state().microphone)) {
    await sound.setMicrophone(choice);
  }
  if (choice.way === "phone") phone.open();
}

async function leave() {
  setText(byId("leave-text"), t("You can come back with the same link. Others stay in the room."));
  if ((await dialogs.open("dialog-leave")) !== "ok") return;
  try {
    await socket.ask("leave");
  } catch {
    // Gone is gone.
  }
  tell({ type: "local/link", link: "left" });
}

async function kick(person) {
  if ((await ask("kick", { participant: person.id })) === null) return;
  toast(t("{name} was removed.", { name: person.name }), {
    seconds: 15,
    action: { label: t("Undo"), run: () => ask("undo_kick", { participant: person.id }) },
  });
}

async function rename(person) {
  const field = byId("rename-name");
  field.value = person.name;
  const closed = dialogs.open("dialog-rename");
  field.select();
  if ((await closed) === "ok" && field.value.trim()) ask("rename", { participant: person.id, name: field.value });
}

function openMenu(id, anchor) {
  const person = state().people.get(id);
  if (person !== undefined) {
    menu.toggle(anchor, t("Actions for {name}", { name: person.name }), personMenu(state(), person, { ask, kick, rename }));
  }
}

function sayWho() {
  const names = [...state().people.values()].filter(({ talking }) => talking).map(({ name }) => name);
  say([names.length === 0 ? t("Nobody is speaking.") : t("Speaking now: {names}.", { names: new Intl.ListFormat(document.documentElement.lang).format(names) })]);
}

// Views

const phone = new Phone({ ask, state, dialogs, eventName: byId("event-name").textContent, eventPin: root.dataset.eventPin || null });
const tabs = new Tabs();
const views = [
  new Bar({ ask, state, onEnd: () => dialogs.open("dialog-end"), onSound: changeSound, resume: () => output.resume() }),
  new Stage({ ask, state, onSound: changeSound }),
  new PeopleView({ state, onMenu: openMenu }),
  new QuestionsView({ state, ask }),
  new PresenterControls({ ask, state, dialogs }),
  new Dock({ state, toggleMute, toggleHand, ask, onSound: changeSound, onLeave: leave }),
  new Curtain({ again: () => location.reload() }),
  phone,
];
store.onRender((now) => {
  for (const view of views) view.render(now);
  root.dataset.me = now.me?.id ?? "";
  root.dataset.seq = now.seq ?? "";
  root.dataset.peer = now.peer;
  root.dataset.hear = now.hear;
  root.dataset.speak = now.speak ? "1" : "0";
  root.dataset.microphone = now.microphone;
});
// Tiles of people who stopped talking go after a while, without an event.
setInterval(() => store.schedule(), 3000);

byId("open-help").addEventListener("click", () => dialogs.open("dialog-help"));
installShortcuts({
  m: toggleMute,
  h: toggleHand,
  p: () => tabs.choose("people", { focus: true }),
  q: () => tabs.choose("questions", { focus: true }),
  w: sayWho,
  "?": () => dialogs.open("dialog-help"),
});

// A click anywhere is what a browser waits for before it plays sound.
document.addEventListener("click", () => {
  if (state().audioBlocked) output.resume();
}, true);

// A page that slept has missed events, and may not know yet that its connection is dead.
let last_ms = Date.now();
setInterval(() => {
  const slept = Date.now() - last_ms > ASLEEP_MS;
  last_ms = Date.now();
  if (slept) {
    socket.hurry();
    refresh();
  }
}, 2000);

// A window that closes says nothing: the server waits a while, because a reload looks the same.
socket.start();
if (choice.way === "phone") {
  const wait = setInterval(() => {
    if (state().link !== "live") return;
    clearInterval(wait);
    if (!mine(state())?.devices.has("phone")) phone.open();
  }, 100);
}
