"use strict";
// Looks at a loaded document and returns what is wrong with it, one line each.
const check = (view, expected) => {
  const doc = view.document;
  const problems = [];
  const report = (text) => problems.push(text.replace(/\s+/g, " ").trim().slice(0, 300));
  for (const one of doc.querySelectorAll("details")) one.open = true;

  // The page itself does not scroll sideways.
  const root = doc.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    report(`overflow: the page is ${root.scrollWidth} pixels wide in a window of ${root.clientWidth}`);
  }

  // Each chart is there, once, with all its bars and lines, and all of them are visible.
  for (const [id, bars, lines] of expected) {
    const found = [...doc.querySelectorAll("svg[data-chart]")].filter((svg) => svg.dataset.chart === id);
    if (found.length !== 1) report(`charts: ${found.length} charts ${id} in place of one`);
    for (const svg of found) {
      const seen = (selector) =>
        [...svg.querySelectorAll(selector)].filter((one) => {
          const box = one.getBoundingClientRect();
          return box.width > 0.5 || box.height > 0.5;
        }).length;
      if (seen(".bar") !== bars) report(`bars: ${seen(".bar")} bars in ${id} in place of ${bars}`);
      if (seen("polyline.line") !== lines) {
        report(`lines: ${seen("polyline.line")} lines in ${id} in place of ${lines}`);
      }
      const name = svg.getAttribute("aria-label");
      if (!name || !svg.querySelector("title")) report(`charts: ${id} has no title or label`);
    }
  }

  // Whatever a chart names, it draws.
  for (const svg of doc.querySelectorAll("svg[data-chart]")) {
    const [names, drawn] = [".name", ".bar, polyline.line"].map((selector) => svg.querySelectorAll(selector).length);
    if (names !== drawn || names === 0) report(`bars: ${svg.dataset.chart} names ${names} and draws ${drawn}`);
  }

  // The boxes of all text, each line of it, without what its containers cut off.
  const clips = new Map();
  const clip = (element) => {
    if (!element || element === doc.body) return [-1e9, -1e9, 1e9, 1e9];
    if (clips.has(element)) return clips.get(element);
    let [left, top, right, bottom] = clip(element.parentElement);
    const style = view.getComputedStyle(element);
    if (style.overflowX !== "visible" && !(element instanceof view.SVGElement)) {
      const box = element.getBoundingClientRect();
      [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
      [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
    }
    clips.set(element, [left, top, right, bottom]);
    return clips.get(element);
  };
  const boxes = [];
  const walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("title, script, style")) continue;
    if (!parent.checkVisibility({ visibilityProperty: true })) continue;
    const [left, top, right, bottom] = clip(parent);
    const range = doc.createRange();
    range.selectNodeContents(node);
    // What stays in place while the rest is scrolled may lie over it.
    const sticky = Boolean(parent.closest("#filter"));
    for (const box of range.getClientRects()) {
      const one = {
        left: Math.max(box.left, left),
        top: Math.max(box.top, top),
        right: Math.min(box.right, right),
        bottom: Math.min(box.bottom, bottom),
        text: node.data.trim(),
        sticky,
      };
      if (one.right - one.left > 1 && one.bottom - one.top > 1) boxes.push(one);
    }
  }
  if (boxes.length < 10) report(`text: only ${boxes.length} pieces of text are visible`);
  boxes.sort((a, b) => a.top - b.top);
  const SLACK = 1.5;
  boxes.forEach((one, at) => {
    for (let next = at + 1; next < boxes.length && boxes[next].top < one.bottom - SLACK; next++) {
      const other = boxes[next];
      const apart = one.right - SLACK <= other.left || other.right - SLACK <= one.left;
      if (!apart && !one.sticky && !other.sticky) {
        report(`overlap: "${one.text}" and "${other.text}" at ${Math.round(one.left)}, ${Math.round(one.top)}`);
      }
    }
  });

  // No text of a chart is cut off by its edge.
  for (const text of doc.querySelectorAll("svg text")) {
    const [box, edge] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
    const inside =
      box.left >= edge.left - 1 && box.right <= edge.right + 1 && box.top >= edge.top - 1 && box.bottom <= edge.bottom + 1;
    if (!inside) report(`cut off: "${text.textContent}" in ${text.ownerSVGElement.dataset.chart}`);
  }
  // The filter shows what has the words, and all when they are gone.
  const words = doc.getElementById("words");
  const articles = [...doc.querySelectorAll("article")];
  const shown = (text) => {
    words.value = text;
    words.dispatchEvent(new view.Event("input"));
    return articles.filter((one) => one.checkVisibility()).length;
  };
  if (articles.length > 0) {
    if (!words || !words.checkVisibility()) {
      report("filter: the box is not there");
    } else {
      const name = articles[0].querySelector("h3").textContent;
      const counts = [shown("no such words"), shown(name), shown("")];
      const right = counts[0] === 0 && counts[1] >= 1 && articles[0].dataset.words.includes(name.toLowerCase());
      if (!right || counts[2] !== articles.length) report(`filter: shows ${counts} of ${articles.length}`);
    }
  }
  return problems;
};
