// The table: its order, its filters, and the columns beside the first ones.

const ALL = "all";
const TEXT = ["attack", "target", "access", "description", "suite"];

/** A row's value as a filter has it. */
function chosen(value) {
  return value === null ? "none" : String(value);
}

/** Whether a row passes the filters of a view. */
function passes(row, view) {
  const fits = Object.entries(view.filters).every(([key, value]) => value === ALL || chosen(row[key]) === value);
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [...TEXT.map((key) => row[key]), JSON.stringify(row.parameters)].join(" ").toLowerCase();
  return fits && words.every((word) => text.includes(word));
}

/** Places of rows in the order of a view: by a column, "-" before it for falling; what has no value is last. */
function ordered(rows, sort) {
  const places = rows.map((_, place) => place);
  if (sort === "") {
    return places;
  }
  const [key, sign] = sort.startsWith("-") ? [sort.slice(1), -1] : [sort, 1];
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
  return places.sort((first, second) => {
    const [a, b] = [rows[first][key], rows[second][key]];
    if (a === null || b === null) {
      return (a === null) - (b === null) || first - second;
    }
    return sign * compare(a, b) || first - second;
  });
}

/** The next order after a click on a column's header: numbers fall first, texts rise; the third click undoes it. */
function following(sort, key, kind) {
  const turns = kind === "text" || key === "rank" ? [key, `-${key}`, ""] : [`-${key}`, key, ""];
  return turns[(turns.indexOf(sort) + 1) % turns.length];
}

/** Show a view in the table; returns how many rows it has. */
function show(table, data, view) {
  const body = table.tBodies[0];
  const lines = new Map(Array.from(body.querySelectorAll("tr[data-at]"), (line) => [Number(line.dataset.at), line]));
  let count = 0;
  let last = null;
  for (const place of ordered(data.rows, view.sort)) {
    const [line, row] = [lines.get(place), data.rows[place]];
    const below = line.nextElementSibling?.classList.contains("detail") ? line.nextElementSibling : null;
    line.hidden = !passes(row, view);
    body.append(line);
    if (below) {
      below.hidden = line.hidden;
      body.append(below);
    }
    if (!line.hidden) {
      count += 1;
      const group = [row.suite, row.target, row.epsilon, row.n, row.of_images].join();
      line.classList.toggle("first", view.sort === "" && last !== null && group !== last);
      last = group;
    }
  }
  headers(table, view.sort);
  return count;
}

function headers(table, sort) {
  for (const header of table.tHead.querySelectorAll("th[data-key]")) {
    const key = header.dataset.key;
    header.setAttribute("aria-sort", { [key]: "ascending", [`-${key}`]: "descending" }[sort] ?? "none");
  }
}

/** Put these columns after the first ones, and no others. */
function addColumns(table, data, keys) {
  table.querySelectorAll(".added").forEach((cell) => cell.remove());
  for (const key of keys) {
    const column = data.columns[key];
    const button = element("button", { type: "button" }, column.title);
    table.tHead.rows[0].append(
      element("th", { scope: "col", "data-key": key, class: `added ${column.kind}`, "aria-sort": "none" }, button));
    for (const line of table.tBodies[0].querySelectorAll("tr[data-at]")) {
      const text = written(column, data.rows[Number(line.dataset.at)][key]);
      line.append(element("td", { class: `added ${column.kind}` }, text));
    }
  }
  const width = table.tHead.rows[0].cells.length;
  table.querySelectorAll("tr.detail > td").forEach((cell) => cell.setAttribute("colspan", width));
}
