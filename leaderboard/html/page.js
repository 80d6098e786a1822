// The view: what is filtered, sorted, opened and compared. It lives in the address, so that a link shows the same.

function readData() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { columns, values: lines } = data.table;
  data.rows = lines.map((line) => Object.fromEntries(columns.map((name, place) => [name, line[place]])));
  return data;
}

/** The view that an address asks for; what it does not say is as at first. */
function viewOf(hash, names, data) {
  const asked = new URLSearchParams(hash.replace(/^#/, ""));
  const list = (name) => (asked.get(name) ?? "").split(",").filter(Boolean);
  const places = (name) => list(name).map((id) => data.ids.indexOf(id)).filter((place) => place >= 0);
  const sort = asked.get("sort") ?? "";
  return {
    q: asked.get("q") ?? "",
    filters: Object.fromEntries(names.map((name) => [name, asked.get(name) ?? data.defaults[name] ?? ALL])),
    sort: sort.replace(/^-/, "") in data.columns ? sort : "",
    columns: list("columns").filter((key) => key in data.columns && !data.main.includes(key)),
    open: places("open"),
    compare: places("compare").slice(-2),
  };
}

/** The address of a view; "" of the first one. */
function hashOf(view, data) {
  const said = new URLSearchParams();
  const ids = (places) => places.map((place) => data.ids[place]).join(",");
  const all = [
    ["q", view.q, ""],
    ...Object.entries(view.filters).map(([key, value]) => [key, value, data.defaults[key] ?? ALL]),
    ["sort", view.sort, ""],
    ["columns", view.columns.join(), ""],
    ["open", ids(view.open), ""],
    ["compare", ids(view.compare), ""],
  ];
  all.filter(([, value, first]) => value !== first).forEach(([key, value]) => said.set(key, value));
  const text = said.toString();
  return text ? `#${text}` : "";
}

function start() {
  const data = readData();
  const form = document.getElementById("filters");
  const table = document.getElementById("board");
  const panel = document.getElementById("compare");
  const selects = Array.from(form.querySelectorAll("select:not(#sort)"));
  const lines = Array.from(table.querySelectorAll("tr[data-at]"));
  const sort = document.getElementById("sort");
  const boxes = Array.from(form.querySelectorAll("input[name=columns]"));
  let view;

  const toggle = (list, place) => (list.includes(place) ? list.filter((other) => other !== place) : [...list, place]);

  const openRow = (line, isOpen) => {
    const below = line.nextElementSibling?.classList.contains("detail") ? line.nextElementSibling : null;
    const button = line.querySelector(".open");
    if (isOpen === (below !== null)) {
      return;
    }
    button.setAttribute("aria-expanded", String(isOpen));
    if (below) {
      below.remove();
      button.removeAttribute("aria-controls");
      return;
    }
    const place = Number(line.dataset.at);
    const id = `d-${data.ids[place]}`;
    const width = table.tHead.rows[0].cells.length;
    const cell = element("td", { colspan: width }, opened(data.rows[place], data.details[place], data));
    line.after(element("tr", { class: "detail", id }, cell));
    button.setAttribute("aria-controls", id);
  };

  const render = () => {
    form.elements.q.value = view.q;
    for (const select of selects) {
      select.value = view.filters[select.name];
      if (select.value === "") {  // an address from another board
        view.filters[select.name] = ALL;
        select.value = ALL;
      }
    }
    sort.value = view.sort;
    boxes.forEach((box) => { box.checked = view.columns.includes(box.value); });
    addColumns(table, data, view.columns);
    document.getElementById("scroll").classList.toggle("has-more", view.columns.length > 0);
    lines.forEach((line) => openRow(line, view.open.includes(Number(line.dataset.at))));
    lines.forEach((line) => {
      const box = line.querySelector(".pick input");
      if (box) {
        box.checked = view.compare.includes(Number(line.dataset.at));
      }
    });
    const count = show(table, data, view);
    document.getElementById("count").textContent = `${plain(count)} of ${plain(data.rows.length)} rows`
      + (count ? "" : ". No row fits: change a filter, or show all rows.");
    showCompared(panel, data, view.compare, () => change({ compare: [] }));
  };

  const change = (changes) => {
    view = { ...view, ...changes };
    render();
    history.replaceState(null, "", hashOf(view, data) || location.pathname + location.search);
  };

  /** Read the address. A linked row is shown, whatever is filtered at first. */
  const follow = () => {
    if (view && document.getElementById(location.hash.slice(1))) {
      return;  // a place on the page, not a view
    }
    view = viewOf(location.hash, selects.map((select) => select.name), data);
    const linked = [...view.open, ...view.compare];
    if (linked.some((place) => !passes(data.rows[place], view))) {
      view.filters = Object.fromEntries(Object.keys(view.filters).map((key) => [key, ALL]));
      view.q = "";
    }
    render();
    if (view.open.length) {
      document.getElementById(`r-${data.ids[view.open[0]]}`).scrollIntoView();
    }
  };

  form.addEventListener("input", () => change({
    q: form.elements.q.value,
    filters: Object.fromEntries(selects.map((select) => [select.name, select.value])),
    sort: sort.selectedIndex < 0 ? view.sort : sort.value,  // it has no option for a text that falls
    columns: boxes.filter((box) => box.checked).map((box) => box.value),
  }));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset").addEventListener("click", () => change({
    q: "", filters: Object.fromEntries(selects.map((select) => [select.name, ALL])),
  }));
  table.addEventListener("click", (event) => {
    const header = event.target.closest("th[data-key] button");
    const line = event.target.closest("tr[data-at]");
    if (header) {
      const key = header.parentElement.dataset.key;
      change({ sort: following(view.sort, key, data.columns[key].kind) });
    } else if (event.target.closest(".open")) {
      change({ open: toggle(view.open, Number(line.dataset.at)) });
      line.querySelector(".open").focus();
    }
  });
  table.addEventListener("change", (event) => {
    if (event.target.closest(".pick")) {
      change({ compare: toggle(view.compare, Number(event.target.closest("tr").dataset.at)).slice(-2) });
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      form.querySelector(".columns").open = false;
    }
  });
  addEventListener("hashchange", follow);
  watchCharts(document.getElementById("tip"));
  follow();
}

start();
