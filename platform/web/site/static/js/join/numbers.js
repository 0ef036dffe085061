/* Which dial-in numbers are nearest to this visitor. Pure, but for `visitorPlace`, which reads the browser.
 *
 * The time zone says best where a person is (a Frenchman in Lisbon dials Lisbon), then the region of the
 * browser's language, then the same continent (the first part of a zone's name), there the same language and
 * then the smaller difference of the clocks. The server sends the table (IANA's zone → country) for countries
 * with numbers.
 */

/** Hours that a time zone is ahead of UTC in January; 0 for none. */
function offset_h(zone) {
  if (!zone) return 0;
  const options = { timeZone: zone, year: "numeric", month: "numeric", day: "numeric", hour: "numeric", hourCycle: "h23" };
  const parts = new Intl.DateTimeFormat("en", options).formatToParts(Date.UTC(2026, 0, 2));
  const part = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  return (Date.UTC(part.year, part.month - 1, part.day, part.hour) - Date.UTC(2026, 0, 2)) / 3_600_000;
}

/** Where the visitor seems to be: {country, language, zone}, each null when unknown. */
export function visitorPlace({ zone, languages, zoneCountries }) {
  const region = languages.map((tag) => /[-_]([A-Z]{2})\b/.exec(tag)?.[1]).find(Boolean) ?? null;
  return {
    country: zoneCountries[zone] ?? region,
    language: languages[0]?.slice(0, 2).toLowerCase() ?? null,
    zone,
  };
}

/** Numbers, nearest first; within the same distance in the order given. */
export function nearestFirst(gateways, place) {
  const here_h = offset_h(place.zone);
  const distance = (gateway) => {
    if (gateway.country === place.country) return 0;
    const sameContinent = Boolean(place.zone) && gateway.zone?.split("/")[0] === place.zone.split("/")[0];
    const far = (sameContinent ? 100 : 200) - (gateway.language === place.language ? 50 : 0);
    return far + (place.zone ? Math.abs(offset_h(gateway.zone) - here_h) : 0);
  };
  return gateways
    .map((gateway, at) => ({ gateway, at, far: distance(gateway) }))
    .sort((a, b) => a.far - b.far || a.at - b.at)
    .map(({ gateway }) => gateway);
}

/** The visitor's place as this browser tells it. */
export function placeHere(zoneCountries) {
  return visitorPlace({
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? null,
    languages: [...(navigator.languages ?? [navigator.language])],
    zoneCountries,
  });
}

let painted = null;

/** Whether this machine has pictures of flags: painted in black they come out in colours. Windows has none
 *  and shows letters, others show empty boxes. */
function hasFlags() {
  if (painted === null) {
    const canvas = Object.assign(document.createElement("canvas"), { width: 24, height: 24 });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.font = "20px sans-serif";
    pen.fillText("\u{1f1eb}\u{1f1f7}", 0, 20);
    const { data } = pen.getImageData(0, 0, 24, 24);
    painted = data.some((value, at) => at % 4 === 0 && Math.abs(value - data[at + 2]) > 60);
  }
  return painted;
}

/** "FR" → 🇫🇷, two regional indicator symbols; the letters where there are no flags. Empty for anything else. */
export function flagOf(country) {
  if (!/^[A-Z]{2}$/.test(country ?? "")) return "";
  if (!hasFlags()) return country;
  return String.fromCodePoint(...[...country].map((letter) => 0x1f1e6 + letter.charCodeAt(0) - 65));
}

/** What a telephone dials: the number, a pause for the greeting, PIN and #. RFC 3966 writes pauses as `p`,
 *  but telephones understand the comma, and `#` must be escaped in a URI. */
export function telLink(number, pin) {
  return `tel:${number},,${pin}%23`;
}
