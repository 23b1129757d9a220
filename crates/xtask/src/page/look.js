"use strict";
// Shows a document in the frame, checks it, and writes the findings where the browser prints them.
const look = ({ html, expected, files, dark }) => {
  const frame = document.querySelector("iframe");
  frame.addEventListener("load", () => {
    const view = frame.contentWindow;
    const problems = [];
    const isDark = view.matchMedia("(prefers-color-scheme: dark)").matches;
    if (isDark !== dark) problems.push(`scheme: dark is ${isDark} in place of ${dark}`);
    try {
      problems.push(...check(view, expected));
    } catch (error) {
      problems.push(`the check itself: ${error.stack}`.replace(/\n/g, " "));
    }
    for (const error of view.caught) problems.push(`error: ${error}`.replace(/\n/g, " "));
    for (const entry of view.performance.getEntriesByType("resource")) {
      if (!entry.name.startsWith("data:")) problems.push(`network: ${entry.name}`);
    }
    for (const [name, text] of files) {
      const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
      const error = parsed.querySelector("parsererror");
      if (error || parsed.documentElement.namespaceURI !== "http://www.w3.org/2000/svg") {
        problems.push(`${name}: no SVG: ${error?.textContent}`.replace(/\n/g, " "));
      }
    }
    const charts = view.document.querySelectorAll("svg[data-chart]").length;
    const width = view.innerWidth;
    problems.push(`looked at ${charts} charts in ${width} pixels, ${problems.length} problems`);
    document.getElementById("findings").textContent = problems.join("\n");
  });
  frame.srcdoc = html;
};
