// Values under the pointer, read from the table behind each chart.

const MOST_LINES = 12;

function watchCharts(tip) {
  for (const figure of document.querySelectorAll(".chart")) {
    const svg = figure.querySelector("svg");
    const ticks = Array.from(svg.querySelectorAll(".tick"), (line) => Number(line.getAttribute("x1")));
    const cursor = svg.querySelector(".cursor");
    const hide = () => {
      tip.hidden = true;
      cursor.setAttribute("visibility", "hidden");
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      const far = (place) => Math.abs(ticks[place] - x);
      const nearest = ticks.reduce((best, _, place) => (far(place) < far(best) ? place : best), 0);
      cursor.setAttribute("x1", ticks[nearest]);
      cursor.setAttribute("x2", ticks[nearest]);
      cursor.setAttribute("visibility", "visible");
      tip.replaceChildren(...values(figure, nearest));
      tip.hidden = false;
      const edge = window.scrollX + document.documentElement.clientWidth - tip.offsetWidth - 8;
      const left = Math.min(event.pageX + 14, edge);
      tip.style.left = `${Math.max(left, 4)}px`;
      tip.style.top = `${event.pageY + 14}px`;
    });
    svg.addEventListener("pointerleave", hide);
    document.addEventListener("keydown", (event) => (event.key === "Escape" ? hide() : null));
  }
}

function values(figure, place) {
  const table = figure.querySelector("table.values");
  const cells = (line) => [line.cells[0].textContent, line.cells[place + 1].textContent];
  const known = (lines) => Array.from(lines, cells).filter(([, text]) => text !== NONE);
  const shared = known(table.querySelectorAll("tr.shared"));
  const attacks = known(table.querySelectorAll("tbody tr:not(.shared)"));
  attacks.sort((a, b) => parseFloat(b[1]) - parseFloat(a[1]));
  const lines = [...shared, ...attacks.slice(0, MOST_LINES)].map(([name, text]) =>
    element("tr", {}, element("th", {}, name), element("td", {}, text)));
  const rest = attacks.length - MOST_LINES;
  return [
    element("strong", {}, `at ${table.tHead.rows[0].cells[place + 1].textContent}`),
    element("table", {}, element("tbody", {}, lines)),
    rest > 0 ? element("span", { class: "note" }, `and ${rest} more below the chart`) : "",
  ];
}
