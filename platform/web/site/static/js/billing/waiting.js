// Asks how a payment stands, ever less often, and loads the page again when that has changed.

const place = document.querySelector("[data-wait-for]");
const WAITS_S = [1, 2, 3, 5, 8, 12, 15];
const GIVE_UP_S = 15 * 60;

async function changed() {
  try {
    const answer = await fetch(place.dataset.waitFor, { headers: { Accept: "application/json" } });
    return answer.ok && (await answer.json()).state !== place.dataset.state;
  } catch {
    return false;
  }
}

if (place) {
  const started = Date.now();
  for (let n = 0; Date.now() - started < GIVE_UP_S * 1000; n += 1) {
    await new Promise((done) => setTimeout(done, WAITS_S[Math.min(n, WAITS_S.length - 1)] * 1000));
    if (document.visibilityState === "visible" && (await changed())) {
      location.reload();
      break;
    }
  }
}
