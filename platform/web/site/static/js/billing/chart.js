// A bar that is pointed at or touched says its day and value below the picture.

for (const chart of document.querySelectorAll(".chart")) {
  const output = chart.querySelector("output");
  const point = (event) => {
    const day = event.target.closest(".day");
    for (const one of chart.querySelectorAll(".day.pointed")) one.classList.remove("pointed");
    day?.classList.add("pointed");
    output.textContent = day ? day.dataset.label : "";
  };
  const picture = chart.querySelector("svg");
  picture.addEventListener("pointermove", point);
  picture.addEventListener("pointerdown", point);
}
