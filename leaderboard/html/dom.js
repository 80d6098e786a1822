"use strict";
// Elements, and numbers as the page writes them. Text enters the page as text nodes only, so no name is ever markup.

const NONE = "—";

/** An element with attributes; children are elements or text. Attributes that are null or false are left out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  set(made, attributes);
  made.append(...children.flat(Infinity).filter((child) => child !== null));
  return made;
}

/** The same within a drawing. */
function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(made, attributes);
  made.append(...children.flat(Infinity));
  return made;
}

function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") {
      made.addEventListener("click", value);
    } else if (value !== null && value !== false) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/** 12345.678 → "12,346", or with so many decimals; halves go to the even digit, as in Python. */
function number(value, digits = 0) {
  if (value === null || value === undefined) {
    return NONE;
  }
  const fixed = { minimumFractionDigits: digits, maximumFractionDigits: digits, roundingMode: "halfEven" };
  return value.toLocaleString("en-US", fixed);
}

/** 0.12 → "12.0%". */
function percent(share) {
  return share === null || share === undefined ? NONE : `${number(100 * share, 1)}%`;
}

/** 0.0312 → "0.031"; "<0.0001" below. */
function pValue(p) {
  if (p === null || p === undefined) {
    return NONE;
  }
  return p < 1e-4 ? "<0.0001" : String(Number(p.toPrecision(2)));
}

/** A number the shortest way, with no more decimals than given: 0.5, 0.25, 1,000. */
function plain(value, digits) {
  const rounded = { maximumFractionDigits: digits };
  return value === null || value === undefined ? NONE : value.toLocaleString("en-US", rounded);
}

/** A row's value as its column writes it. */
function written(column, value) {
  if (column.kind === "percent") {
    return percent(value);
  }
  if (column.kind === "p") {
    return pValue(value);
  }
  return typeof value === "number" ? plain(value, column.digits) : (value ?? NONE);
}

/** A list of terms: pairs of a name and a text, those without a text left out. */
function terms(pairs) {
  const known = pairs.filter(([, text]) => text !== null && text !== undefined && text !== "");
  return element("dl", {}, known.map(([name, text]) => [element("dt", {}, name), element("dd", {}, String(text))]));
}
