// What a row opens to.

const CLASSES = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ABSTAIN = -1;
const LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SENT = {
  v: "", u: "; unchanged", b: "; over budget, so the original was sent", r: "; left [0, 1], so the original was sent",
  f: "; not finite, so the original was sent",
};
const FATES = {
  fell: "silenced: answered before, abstains now",
  both: "abstains, and did so unattacked",
  flip: "another answer",
  back: "answers, and abstained unattacked",
  same: "the same answer",
};

const FACTS = { device: "processor", capability: "instruction set", arithmetic: "precision path" };

/** Answers from their packed form: a class each, or ABSTAIN. */
function answers(packed) {
  return typeof packed === "string" ? Array.from(packed, (letter) => CLASSES.indexOf(letter)) : packed;
}

/** An answer in words. */
function said(answer) {
  return answer === ABSTAIN ? "abstains" : String(answer);
}

/** What became of an image. */
function fate(before, after) {
  if (after === ABSTAIN) {
    return before === ABSTAIN ? "both" : "fell";
  }
  if (before === ABSTAIN) {
    return "back";
  }
  return before === after ? "same" : "flip";
}

/** The panel below a row. */
function opened(row, detail, data) {
  const facts = detail.facts === undefined ? null : data.facts[detail.facts];
  const parts = [described(row), cost(row, facts, data), provenance(facts)];
  parts.push(detail.command === undefined ? null : again(detail.command));
  if (detail.set !== undefined) {
    const images = data.sets[detail.set];
    const [before, after] = [answers(images.clean), answers(detail.answers)];
    parts.push(fallen(images, before, after, detail.sent), norms(row, detail.norms), confusion(before, after));
    parts.push(detail.strip ? strip(detail.strip, images, data.originals) : null);
  } else if (row.status !== "failed") {
    parts.push(element("p", { class: "note" }, "This board came without records: no outcomes by image."));
  }
  return element("div", { class: "opened" }, parts);
}

function section(title, ...content) {
  return element("section", {}, element("h4", {}, title), content);
}

function described(row) {
  const sure = typeof row.ceiling_error === "number" ? 100 * (1 - row.ceiling_error) : null;
  const settings = Object.entries(row.parameters).map(([name, value]) => [name, JSON.stringify(value)]);
  const known = [
    ["target", `${row.target} (σ = ${row.sigma})`], ["ε", row.epsilon], ["n, α", `${plain(row.n)}, ${row.alpha}`],
    ["images made for", row.landed_for ? `n = ${plain(row.landed_for.n)}, α = ${row.landed_for.alpha}` : null],
    ["seed", row.seed], ["images", `${plain(row.images)} of ${plain(row.of_images)}`],
    ["queries allowed", row.query_budget === null ? "no limit, or none made" : plain(row.query_budget)],
    ["ceiling from", row.ceiling_samples ? `${plain(row.ceiling_samples)} noise samples an image` : null],
    ["where they decide", row.ceiling_samples_max ? `up to ${plain(row.ceiling_samples_max)}` : null],
    ["all ceilings hold with", sure === null ? null : `${number(sure, 4)}%`],
    ["surrogates", row.surrogates ? row.surrogates.join("; ") : null],
    ["error", row.error],
  ];
  return section("Settings", element("p", {}, row.description), terms([...known, ...settings]));
}

function result(row, data) {
  const shown = ["clean_abstention_rate", "mcnemar_p", "ceiling", "accuracy", "confident_wrong_rate", "valid_rate"];
  const rates = shown.map((key) => [data.columns[key].title.toLowerCase(), written(data.columns[key], row[key])]);
  return [element("h4", { class: "apart" }, "Result"), terms(rates)];
}

function cost(row, facts, data) {
  const unit = facts?.cells === 1 ? "cell" : "cells";
  const cells = facts ? `${number(facts.seconds)} s in ${plain(facts.cells)} ${unit}` : null;
  return section("Cost", terms([
    ["queries an image", number(row.queries_mean, 1)], ["surrogate's queries", plain(row.surrogate_queries)],
    ["forward samples an image", number(row.forward_samples_mean)],
    ["backward samples an image", number(row.backward_samples_mean)],
    ["seconds an image", number(row.seconds_per_image, 2)],
    ["whole row", cells],
  ]), row.status === "failed" ? [] : result(row, data));
}

function provenance(facts) {
  if (facts === null) {
    return null;
  }
  const elsewhere = facts.adopted ? "elsewhere, adopted from a published board" : "in this results folder";
  const of = Object.entries(facts.of).map(([name, values]) => [FACTS[name] ?? name, values.join(", ")]);
  const where = facts.adopted === null ? null : elsewhere;
  return section("Provenance", terms([["computed", where], ["date", facts.created.join(", ")], ...of]));
}

function again(command) {
  const text = element("code", {}, command);
  const copy = element("button", {
    type: "button", class: "plain", onclick: () => {
      getSelection().selectAllChildren(text);
      navigator.clipboard?.writeText(command).then(() => { copy.textContent = "Copied"; }, () => null);
    },
  }, "Copy");
  const made = section("Compute it again", element("pre", {}, text), copy);
  made.classList.add("wide");
  return made;
}

function fallen(images, before, after, sent) {
  const labels = answers(images.labels);
  const fates = after.map((answer, place) => fate(before[place], answer));
  const count = (name) => fates.filter((found) => found === name).length;
  const dots = fates.map((name, place) => element("i", {
    class: name,
    title: `image ${images.images[place]}, class ${labels[place]}: `
      + `${said(before[place])} → ${said(after[place])}${SENT[sent[place]]}`,
  }));
  const names = Object.keys(FATES).filter((name) => count(name) > 0);
  const legend = names.map((name) => element("li", {},
    element("i", { class: `key ${name}` }), `${plain(count(name))} ${FATES[name]}`));
  const indices = images.images.filter((_, place) => fates[place] === "fell");
  const list = element("details", {}, element("summary", {}, "Indices of the silenced images"),
    element("p", { class: "note" }, indices.length ? indices.join(", ") : "none"));
  const summary = names.map((name) => `${count(name)} ${FATES[name]}`).join("; ");
  return section("Image by image", element("div", { class: "dots", role: "img", "aria-label": summary }, dots),
    element("ul", { class: "legend" }, legend), list);
}

function norms(row, counts) {
  const most = Math.max(...counts);
  if (most === 0) {
    return section("ℓ2 norms", element("p", { class: "note" }, "The attack changed no image within the budget."));
  }
  const [width, height] = [300, 110];
  const step = width / counts.length;
  const bars = counts.map((count, place) => {
    const [low, high] = [place, place + 1].map((edge) => plain(row.epsilon * edge / counts.length, 3));
    const tall = (height - 30) * count / most;
    return drawn("rect", { x: place * step + 1, y: height - 18 - tall, width: step - 2, height: tall },
      drawn("title", {}, `${low} to ${high}: ${count} images`));
  });
  const label = (x, anchor, text) => drawn("text", { x, y: height - 4, "text-anchor": anchor }, text);
  const axis = [
    label(0, "start", "0"), label(width / 2, "middle", "ℓ2 norm"), label(width, "end", `ε = ${row.epsilon}`),
    drawn("text", { x: 0, y: 10 }, `most in a bin: ${most}`),
  ];
  const summary = `ℓ2 norms of ${plain(row.changed)} changed images: mean ${number(row.l2_mean, 3)}, `
    + `median ${number(row.l2_median, 3)}, largest ${number(row.l2_max, 3)}`;
  const picture = {
    class: "histogram", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary,
    "data-access": row.access,
  };
  return section("ℓ2 norms", drawn("svg", picture, bars, axis), element("p", { class: "note" }, `${summary}.`));
}

function confusion(before, after) {
  const present = [...new Set([...before, ...after])].sort((a, b) => (a === ABSTAIN) - (b === ABSTAIN) || a - b);
  const title = (answer) => (answer === ABSTAIN ? "⊥" : String(answer));
  const lines = present.map((from) => element("tr", {}, element("th", { scope: "row" }, title(from)),
    present.map((to) => {
      const count = before.filter((answer, place) => answer === from && after[place] === to).length;
      const style = `${from === to ? "same" : ""} ${count && from !== to ? "some" : ""}`.trim();
      return element("td", { class: style || null }, count ? String(count) : "");
    })));
  const head = element("tr", {}, element("th", { scope: "col" }, "clean \\ attacked"),
    present.map((to) => element("th", { scope: "col" }, title(to))));
  const table = element("table", { class: "confusion" }, element("thead", {}, head), element("tbody", {}, lines));
  const region = { class: "scroll", tabindex: 0, role: "region", "aria-label": "Clean and attacked answers" };
  return section("Clean → attacked answers", element("div", region, table),
    element("p", { class: "note" }, "Rows: the answer unattacked. Columns: under attack. ⊥ abstains."));
}

function strip(shown, images, originals) {
  const items = shown.map((found) => {
    const image = images.images[found.at];
    const votes = ([first, most, second, fewer]) => `${first}: ${plain(most)}, ${second}: ${plain(fewer)}`;
    return element("li", {}, pixels(originals[image], found.width, `image ${image}, original`),
      pixels(found.pixels, found.width, `image ${image}, attacked`),
      element("p", {}, `image ${image}`),
      element("p", {}, `votes ${votes(found.clean)}`), element("p", {}, `→ ${votes(found.votes)}`));
  });
  const title = "Originals and adversarial images, with the two classes of the most votes";
  const made = section(title, element("ul", { class: "strip" }, items));
  made.classList.add("wide");
  return made;
}

function pixels(text, width, label) {
  const canvas = element("canvas", { width, height: text.length / width, role: "img", "aria-label": label });
  const context = canvas.getContext("2d");
  Array.from(text).forEach((letter, place) => {
    const grey = Math.round(255 * LEVELS.indexOf(letter) / (LEVELS.length - 1));
    context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
    context.fillRect(place % width, Math.floor(place / width), 1, 1);
  });
  return canvas;
}
