/* What the page knows, and how each event changes it. Pure: no DOM, no clock, no network.
 *
 * Theory. The server's room is the truth; this is a copy that is kept in step by events with consecutive
 * sequence numbers, as a database replica follows a log. An event that was seen already changes nothing; one
 * that comes too early shows that something was missed: it is not applied, `stale` is raised, and the shell
 * asks for the whole state. So the copy is either exactly the room at `seq`, or known not to be.
 *
 * Nothing is changed in place: whoever compares two states by identity sees exactly what is different. The
 * people are a Map in order of joining; a change to one of n people copies the Map's n references and one
 * person. A mode change that mutes all costs n small objects, once.
 *
 * Events of the server have `type` as in docs/live-socket.md. Events of this page begin with "local/".
 */

/** Everything before the first word from the server. */
export const EMPTY = Object.freeze({
  link: "connecting", // connecting | live | lost | elsewhere | removed | ended | left | refused
  refusal: null, // slug, when refused
  seq: null,
  stale: false,
  me: null, // {id, …} my own id and what only I know
  room: Object.freeze({
    name: "",
    mode: "listen_only",
    started: false,
    startedAtMs: null,
    locked: false,
    ended: false,
    musicOn: true,
    tollFree: false,
    gateway: true,
  }),
  people: new Map(),
  queue: Object.freeze([]),
  floor: null,
  hear: "silence", // room | music | silence
  speak: false, // the server takes my sound into the room
  peer: "off", // off | connecting | connected | reconnecting | failed
  microphone: "off", // off | on | a problem of devices.js
  audioBlocked: false,
  bars: null, // my own connection, measured here
  pendingMute: null, // what I asked for and have not seen yet: true, false or null
});

export const PRESENTER = "presenter";

/** The next state. Unknown events only move the sequence number. */
export function reduce(state, event) {
  if (event.type.startsWith("local/")) return local(state, event);
  if (state.seq === null || event.seq <= state.seq) return state;
  if (event.seq !== state.seq + 1) return state.stale ? state : { ...state, stale: true };
  const change = SERVER[event.type];
  const next = change === undefined ? state : change(state, event);
  return { ...next, seq: event.seq };
}

// Selectors

export function mine(state) {
  return state.me === null ? null : (state.people.get(state.me.id) ?? null);
}

export function iAmPresenter(state) {
  return (mine(state)?.role ?? state.me?.role) === PRESENTER;
}

export function presenterCount(state) {
  let n = 0;
  for (const person of state.people.values()) if (person.role === PRESENTER) n += 1;
  return n;
}

/** What stage, role and floor allow, before mutes: the table of docs/rooms.md. */
export function mayBeHeard(room, person) {
  if (!room.started) return person.role === PRESENTER;
  if (person.role === PRESENTER) return true;
  return room.mode === "discussion" || (room.mode === "qa" && person.floor);
}

/** Why I am not heard now: null when I am. The first that applies, in the order in which one can act. */
export function whyNotHeard(state) {
  const me = mine(state);
  if (me === null || state.link !== "live") return "offline";
  if (!mayBeHeard(state.room, me)) {
    if (!state.room.started) return "not_started";
    return state.room.mode; // presenters_only, qa, listen_only
  }
  if (me.sound === "phone") return me.muted ? `muted_${me.muted_by ?? "self"}` : null;
  if (me.muted) return `muted_${me.muted_by ?? "self"}`;
  if (state.microphone !== "on") return state.microphone === "off" ? "no_microphone" : "microphone_problem";
  if (state.peer !== "connected") return "no_sound";
  return null;
}

/** Whether my microphone's track may carry sound: the server takes it and nothing here speaks against it. */
export function microphoneOpen(state) {
  return state.link === "live" && state.speak && state.pendingMute !== true && mine(state)?.sound !== "phone";
}

// Changes by the server

function withPerson(state, id, fields) {
  const person = state.people.get(id);
  if (person === undefined) return state;
  const people = new Map(state.people);
  people.set(id, { ...person, ...fields });
  return { ...state, people };
}

function withMuted(people, ids, fields) {
  for (const id of ids) {
    const person = people.get(id);
    if (person !== undefined) people.set(id, { ...person, ...fields });
  }
}

function withRoom(state, fields) {
  return { ...state, room: { ...state.room, ...fields } };
}

/** The queue as given; every person's `question` follows. */
function withQueue(state, queue) {
  const people = new Map(state.people);
  for (const id of state.queue) {
    const person = people.get(id);
    if (person !== undefined && !queue.includes(id)) people.set(id, { ...person, question: null });
  }
  queue.forEach((id, at) => {
    const person = people.get(id);
    if (person !== undefined && person.question !== at + 1) people.set(id, { ...person, question: at + 1 });
  });
  return { ...state, people, queue };
}

function withFloor(state, holder) {
  const people = new Map(state.people);
  for (const id of [state.floor, holder]) {
    const person = id === null ? undefined : people.get(id);
    if (person !== undefined) people.set(id, { ...person, floor: id === holder });
  }
  return { ...state, people, floor: holder };
}

function settledMute(state, id, muted) {
  const state2 = state.me?.id === id ? { ...state, pendingMute: null } : state;
  return muted ? withPerson(state2, id, muted) : withPerson(state2, id, { muted: false, muted_by: null });
}

const SERVER = {
  joined(state, { person }) {
    const people = new Map(state.people);
    people.set(person.id, person);
    return { ...state, people };
  },
  left(state, { participant: id }) {
    const people = new Map(state.people);
    people.delete(id);
    const next = { ...state, people, floor: state.floor === id ? null : state.floor };
    return state.queue.includes(id) ? withQueue(next, state.queue.filter((who) => who !== id)) : next;
  },
  muted: (state, { participant: id, by }) => settledMute(state, id, { muted: true, muted_by: by }),
  unmuted: (state, { participant: id }) => settledMute(state, id, null),
  mode_changed(state, { mode, muted, unmuted }) {
    const people = new Map(state.people);
    withMuted(people, muted, { muted: true, muted_by: "mode" });
    withMuted(people, unmuted, { muted: false, muted_by: null });
    return withRoom({ ...state, people }, { mode });
  },
  started: (state, { startedAtMs }) => withRoom(state, { started: true, startedAtMs: startedAtMs ?? null }),
  stopped: (state) => withRoom(state, { started: false, startedAtMs: null }),
  ended: (state) => ({ ...withRoom(state, { ended: true }), link: "ended", people: new Map(), queue: [], floor: null }),
  locked: (state) => withRoom(state, { locked: true }),
  unlocked: (state) => withRoom(state, { locked: false }),
  question_asked(state, { participant: id, position }) {
    const queue = state.queue.filter((who) => who !== id);
    queue.splice(position - 1, 0, id);
    return withQueue(state, queue);
  },
  question_withdrawn: (state, { participant: id }) => withQueue(state, state.queue.filter((who) => who !== id)),
  floor_given(state, { participant: id }) {
    const next = withFloor(withQueue(state, state.queue.filter((who) => who !== id)), id);
    return settledMute(next, id, null);
  },
  floor_taken: (state, { participant: id }) => (state.floor === id ? withFloor(state, null) : state),
  music_switched(state, { participant: id, on, everyone }) {
    if (!everyone) return withPerson(state, id, { music: on });
    const people = new Map(state.people);
    for (const [who, person] of people) if (person.music !== on) people.set(who, { ...person, music: on });
    return withRoom({ ...state, people }, { musicOn: on });
  },
  talking_changed: (state, { participant: id, talking }) => withPerson(state, id, { talking }),
  renamed: (state, { participant: id, name }) => withPerson(state, id, { name }),
  phone_linked(state, { participant: id, city, country, number }) {
    const devices = new Set(state.people.get(id)?.devices).add("phone");
    return withPerson(state, id, { city, country, number: number ?? null, devices });
  },
  phone_unlinked(state, { participant: id }) {
    const devices = new Set(state.people.get(id)?.devices);
    devices.delete("phone");
    return withPerson(state, id, { city: null, country: null, number: null, devices });
  },
  connection_changed(state, { participant: id, connected, web }) {
    const devices = new Set(state.people.get(id)?.devices);
    if (web) devices.add("web");
    else devices.delete("web");
    return withPerson(state, id, { connected, devices });
  },
  sound_changed: (state, { participant: id, sound }) => withPerson(state, id, { sound }),
  quality_changed: (state, { participant: id, quality }) => withPerson(state, id, { quality }),
  settings_changed: (state, { gateway, toll_free: tollFree }) => withRoom(state, { gateway, tollFree }),
};

// Changes by this page

function local(state, event) {
  switch (event.type) {
    case "local/state": {
      const { room, people, queue, floor, me, seq } = event.snapshot;
      const link = room.ended ? "ended" : "live";
      const byId = new Map(people.map((person) => [person.id, person]));
      return { ...state, link, refusal: null, stale: false, seq, room, people: byId, queue, floor, me, pendingMute: null };
    }
    case "local/link":
      // The end of the story is not undone by the socket that closes after it. Being removed may still be
      // taken back: then the whole state arrives.
      if (["ended", "removed", "elsewhere", "left"].includes(state.link)) return state;
      return { ...state, link: event.link, refusal: event.refusal ?? null, pendingMute: null };
    case "local/removed":
      return { ...state, link: "removed", speak: false, hear: "silence" };
    case "local/sound":
      return { ...state, speak: event.speak, hear: event.hear };
    case "local/peer":
      return { ...state, peer: event.peer, bars: event.peer === "connected" ? state.bars : null };
    case "local/microphone":
      return { ...state, microphone: event.microphone };
    case "local/blocked":
      return { ...state, audioBlocked: event.blocked };
    case "local/bars":
      return state.bars === event.bars ? state : { ...state, bars: event.bars };
    case "local/mute":
      return { ...state, pendingMute: event.muted };
    default:
      throw new Error(`unknown event ${event.type}`);
  }
}
