// A page that shows what runs now is loaded again from time to time, while somebody looks at it.

const seconds = Math.min(...[...document.querySelectorAll("[data-refresh]")].map((one) => Number(one.dataset.refresh)));

if (Number.isFinite(seconds)) {
  setInterval(() => {
    if (document.visibilityState === "visible") location.reload();
  }, seconds * 1000);
}
