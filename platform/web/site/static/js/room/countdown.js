/* For those who wait: when the event begins, and what comes then. Said aloud at a few moments, not each second. */

import { showTimes } from "../join/times.js";
import { byId, el } from "./dom.js";

showTimes(byId("room"), { say: (sentence) => byId("announcements").append(el("p", { text: sentence })) });
