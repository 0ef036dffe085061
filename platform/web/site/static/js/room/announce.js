/* What a screen reader says about the room, politely and not too much. Pure: events and the time go in,
 * sentences come out.
 *
 * Who speaks changes many times a second in a discussion; said each time, it would cover the voices
 * themselves. So it is said when somebody *else* speaks than the one named last, at most every 4 s, and only
 * if they still speak after half a second. Everything about myself is said at once. Hands are counted
 * together when many go up at the same time.
 */

import { t, tn } from "../../i18n.js";
import { PRESENTER, iAmPresenter, mine } from "./reducer.js";
import { modeName } from "./words.js";

const TALK_EVERY_S = 4;
const TALK_LASTS_S = 0.5;
const HANDS_TOGETHER_S = 2;

export class Announcer {
  constructor() {
    this.named = null;
    this.talkSaid_s = -Infinity;
    this.candidate = null; // {id, since_s}
    this.hands = []; // names
    this.handsSince_s = null;
  }

  /** Sentences that this event makes due. `before` and `state` are the states around it. */
  on(state, event, before, now_s) {
    const said = [];
    const meId = state.me?.id;
    const name = (id) => state.people.get(id)?.name ?? before.people.get(id)?.name ?? t("somebody");
    switch (event.type) {
      case "talking_changed":
        this.talking(event, meId, now_s);
        break;
      case "question_asked":
        if (event.participant === meId) said.push(t("You are number {n} in the queue.", { n: event.position }));
        else this.hand(name(event.participant), now_s);
        break;
      case "question_withdrawn":
        if (event.participant === meId) said.push(t("You left the queue."));
        break;
      case "floor_given":
        said.push(event.participant === meId ? t("You have the floor. Everybody hears you.") : t("{name} has the floor.", { name: name(event.participant) }));
        break;
      case "floor_taken":
        if (event.participant === meId) said.push(t("You do not have the floor any more."));
        break;
      case "muted":
        if (event.participant === meId) {
          said.push(event.by === "presenter" ? t("A presenter muted you. You can unmute yourself.") : t("You are muted."));
        }
        break;
      case "unmuted":
        if (event.participant === meId) said.push(event.audible === false ? t("Unmuted, but nobody hears you in this mode.") : t("You are unmuted."));
        break;
      case "mode_changed":
        if (event.mode !== before.room.mode) said.push(t("Mode: {mode}.", { mode: modeName(event.mode) }));
        if (event.muted.includes(meId)) said.push(t("The change of mode muted you."));
        break;
      case "started":
        said.push(t("The event has started."));
        break;
      case "stopped":
        said.push(t("The event has stopped. The room stays open."));
        break;
      case "ended":
        said.push(t("The event is over."));
        break;
      case "locked":
      case "unlocked":
        if (iAmPresenter(state)) said.push(event.type === "locked" ? t("The event is locked.") : t("The event is unlocked."));
        break;
      case "phone_linked":
        if (event.participant === meId) said.push(t("Your phone is your sound now."));
        break;
      case "phone_unlinked":
        if (event.participant === meId) said.push(t("Your phone hung up."));
        break;
      case "joined":
        if (event.person.role === PRESENTER && event.person.id !== meId) {
          said.push(t("{name} is here, presenter.", { name: event.person.name }));
        }
        break;
      case "local/link":
        if (event.link === "lost" && before.link === "live") said.push(t("Connection lost. Reconnecting."));
        break;
      case "local/state":
        if (before.link === "lost") said.push(t("Connected again."));
        else if (before.seq === null && mine(state) !== null) {
          said.push(tn("You are in {event}. {n} person is here.", "You are in {event}. {n} people are here.", state.people.size, { event: state.room.name }));
        }
        break;
      default:
    }
    return said;
  }

  talking({ participant: id, talking }, meId, now_s) {
    if (id === meId) return;
    if (talking && id !== this.named && this.candidate === null) this.candidate = { id, since_s: now_s };
    else if (!talking && this.candidate?.id === id) this.candidate = null;
  }

  hand(name, now_s) {
    this.hands.push(name);
    this.handsSince_s ??= now_s;
  }

  /** Sentences that time makes due; call it about twice a second. */
  tick(state, now_s) {
    const said = [];
    if (this.handsSince_s !== null && now_s - this.handsSince_s >= HANDS_TOGETHER_S) {
      const [first, ...others] = this.hands;
      if (others.length === 0) said.push(t("{name} has a question.", { name: first }));
      else said.push(tn("{name} and {n} other have questions.", "{name} and {n} others have questions.", others.length, { name: first }));
      this.hands = [];
      this.handsSince_s = null;
    }
    const due = this.candidate !== null && now_s - this.candidate.since_s >= TALK_LASTS_S;
    if (due && now_s - this.talkSaid_s >= TALK_EVERY_S) {
      const person = state.people.get(this.candidate.id);
      if (person?.talking) {
        said.push(t("{name} is speaking.", { name: person.name }));
        this.named = person.id;
        this.talkSaid_s = now_s;
      }
      this.candidate = null;
    }
    return said;
  }
}
