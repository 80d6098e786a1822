// Two rows, image by image.

/** What two rows have in common and where they differ: counts over the images that both saw. Null without records. */
function paired(data, first, second) {
  const [one, other] = [first, second].map((place) => {
    const detail = data.details[place];
    if (detail.set === undefined) {
      return null;
    }
    const after = answers(detail.answers);
    return new Map(data.sets[detail.set].images.map((image, index) => [image, after[index] === ABSTAIN]));
  });
  if (one === null || other === null || data.rows[first].data !== data.rows[second].data) {
    return null;
  }
  const counts = { both: 0, first: 0, second: 0, neither: 0, n: 0 };
  for (const [image, falls] of one) {
    if (other.has(image)) {
      const name = falls ? (other.get(image) ? "both" : "first") : (other.get(image) ? "second" : "neither");
      counts[name] += 1;
      counts.n += 1;
    }
  }
  return counts.n ? counts : null;
}

/** A row in a few words: what tells it from the other comes first. */
function named(row) {
  const budget = row.query_budget === null ? "" : `, ≤ ${plain(row.query_budget)} queries`;
  return `${row.attack} on ${row.target}, ε = ${row.epsilon}, n = ${plain(row.n)}${budget}`;
}

/** Fill the panel of the picked rows. */
function showCompared(panel, data, picked, onClose) {
  panel.replaceChildren();
  panel.hidden = picked.length === 0;
  if (picked.length === 0) {
    return;
  }
  const close = element("button", { type: "button", class: "plain close", onclick: onClose }, "Close");
  const rows = picked.map((place) => data.rows[place]);
  if (picked.length === 1) {
    panel.append(close, element("p", {}, `Picked: ${named(rows[0])}. Tick a second row to compare.`));
    return;
  }
  panel.append(close, element("h3", { id: "compared" }, "Paired comparison"), ...compared(data, picked, rows));
}

function compared(data, picked, rows) {
  const list = element("p", {}, rows.map((row, place) => [
    element("strong", {}, "AB"[place]), ` ${named(row)}: ${percent(row.abstention_rate)}`, element("br")]));
  const counts = paired(data, ...picked);
  if (counts === null) {
    return [list, element("p", { class: "note" }, "Not comparable image by image: no records, or other images.")];
  }
  const [low, high] = pairedInterval(counts);
  const points = (share) => `${share > 0 ? "+" : ""}${number(100 * share, 1)}`.replace("-", "−");
  const difference = (counts.first - counts.second) / counts.n;
  const p = mcnemar(counts.first, counts.second);
  const result = element("p", { class: "result" },
    element("strong", {}, `A − B: ${points(difference)} points`),
    ` (95% interval ${points(low)} to ${points(high)}), exact McNemar p ${p < 1e-4 ? "< 0.0001" : `= ${pValue(p)}`}`,
    ` over ${plain(counts.n)} images: A alone silences ${counts.first}, B alone ${counts.second},`,
    ` both ${counts.both}, neither ${counts.neither}.`);
  const differs = ["n", "alpha", "epsilon", "target", "seed"].filter((key) => rows[0][key] !== rows[1][key]);
  const note = "p is not corrected for how often rows are compared." + (differs.length
    ? ` The rows differ in ${differs.map((key) => data.columns[key].title.toLowerCase()).join(", ")}, too.` : "");
  return [list, result, element("p", { class: "note" }, note)];
}
