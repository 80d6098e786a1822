() => {
  // What an accessibility checker finds in a page: a list of sentences, empty where all is well.
  // Rules after axe-core's of these names: https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md
  const found = [];
  const say = (rule, node) => found.push(`${rule}: ${node.outerHTML.slice(0, 120)}`);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const isShown = (node) => node.checkVisibility({ visibilityProperty: true });
  const name = (node) => node.getAttribute("aria-label")
    || (node.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("")
    || node.closest("label")?.textContent.trim() || node.textContent.trim();

  if (!document.documentElement.lang) { say("html-has-lang", document.documentElement); }
  if (!document.title.trim()) { say("document-title", document.head); }
  if (all("main").length !== 1) { say("landmark-one-main", document.body); }
  if (all("h1").length !== 1) { say("page-has-heading-one", document.body); }
  const ids = all("[id]").map((node) => node.id);
  all("[id]").filter((node) => ids.indexOf(node.id) !== ids.lastIndexOf(node.id)).forEach((node) => say("duplicate-id", node));
  all("button, a[href], summary").filter((node) => !name(node)).forEach((node) => say("button-name, link-name", node));
  all("input, select, textarea").filter((node) => !name(node)).forEach((node) => say("label, select-name", node));
  all("[role=img], [role=region], [role=search], canvas").filter((node) => !name(node)).forEach((node) => say("image-alt", node));
  all("[aria-controls]").filter((node) => !document.getElementById(node.getAttribute("aria-controls")))
    .forEach((node) => say("aria-valid-attr-value", node));
  all("[aria-expanded]").filter((node) => !["true", "false"].includes(node.getAttribute("aria-expanded")))
    .forEach((node) => say("aria-valid-attr-value", node));
  all("[aria-sort]").filter((node) => !["none", "ascending", "descending"].includes(node.getAttribute("aria-sort")))
    .forEach((node) => say("aria-valid-attr-value", node));
  all("table:not(#tip table) th").filter((node) => !["row", "col"].includes(node.scope)).forEach((node) => say("scope-attr-valid", node));
  all("[aria-hidden=true] :is(a, button, input, select)").forEach((node) => say("aria-hidden-focus", node));
  all("[tabindex]").filter((node) => node.tabIndex > 0).forEach((node) => say("tabindex", node));
  all("dl > :not(dt, dd)").forEach((node) => say("definition-list", node));
  all("ul > :not(li)").forEach((node) => say("list", node));
  all(".scroll").filter((node) => isShown(node) && node.scrollWidth > node.clientWidth && node.tabIndex < 0)
    .forEach((node) => say("scrollable-region-focusable", node));
  let level = 1;
  for (const heading of all("h1, h2, h3, h4").filter(isShown)) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) { say("heading-order", heading); }
    level = own;
  }

  // Contrast, as the browser paints it: WCAG 2.2, 1.4.3.
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => [r, g, b].reduce((sum, c, place) => sum + [0.2126, 0.7152, 0.0722][place] * linear(c / 255), 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) { return colour; }
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const isOff = node.closest("script, style, noscript, .hidden, .skip, option");
    if (!walker.currentNode.textContent.trim() || isOff || !isShown(node)) { continue; }
    const style = getComputedStyle(node);
    const colour = channels(node.closest("svg") ? style.fill : style.color);
    const [dark, light] = [luminance(colour), luminance(ground(node))].sort((a, b) => a - b);
    if ((light + 0.05) / (dark + 0.05) < 4.5) { say("color-contrast", node); }
  }
  return [...new Set(found)];
}
