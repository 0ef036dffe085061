/* From the server's JSON (docs/live-socket.md) to what the reducer works with: the only file that knows how
 * messages are written. A caller whose number this viewer may not see has no name; they get one from the
 * place they call from.
 */

import { t } from "../../i18n.js";
import { countryName } from "./words.js";

function shownName(name, { city, country }) {
  if (name) return name;
  const place = city ?? (country ? countryName(country) : null);
  return place ? t("Caller, {place}", { place }) : t("Caller");
}

/** One person; `question` and `floor` are told for the whole room and filled in by `snapshotFrom`. */
export function personFrom(json) {
  return {
    id: json.id,
    name: shownName(json.name, json),
    role: json.role,
    city: json.city ?? null,
    country: json.country ?? null,
    number: json.number ?? null,
    devices: new Set(json.devices ?? [json.via]),
    sound: json.sound ?? null,
    connected: json.connected ?? true,
    quality: json.quality ?? null,
    muted: json.muted_by !== null,
    muted_by: json.muted_by,
    music: json.music ?? true,
    talking: json.talking ?? false,
    floor: false,
    question: null,
    joinedAtMs: json.joined_at ?? null,
  };
}

/** The whole room, for the event "local/state". */
export function snapshotFrom(json) {
  const queue = json.questions ?? [];
  const places = new Map(queue.map((id, at) => [id, at + 1]));
  const people = json.people.map((each) => ({
    ...personFrom(each),
    question: places.get(each.id) ?? null,
    floor: each.id === json.floor,
  }));
  return {
    seq: json.seq,
    me: json.me,
    iceServers: json.ice_servers ?? [],
    people,
    queue,
    floor: json.floor ?? null,
    room: {
      name: json.name,
      mode: json.mode,
      started: json.started,
      startedAtMs: json.started_at ?? null,
      locked: json.locked,
      ended: json.ended,
      musicOn: json.music ?? true,
      tollFree: json.settings?.toll_free ?? false,
      gateway: json.settings?.gateway ?? true,
      discussionLimit: json.limits?.discussion ?? 25,
    },
  };
}

/** One numbered change. */
export function eventFrom({ seq, event }) {
  switch (event.type) {
    case "joined":
      return { ...event, seq, person: personFrom(event.person) };
    case "started":
      return { ...event, seq, startedAtMs: event.started_at };
    case "renamed":
      return { ...event, seq, name: event.name ?? t("Caller") };
    default:
      return { ...event, seq };
  }
}
