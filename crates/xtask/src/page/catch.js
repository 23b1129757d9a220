"use strict";
// Runs before all of the page: keeps every error that the console would show.
window.caught = [];
window.addEventListener("error", (event) => window.caught.push(event.message || `cannot load ${event.target.outerHTML}`), true);
window.addEventListener("unhandledrejection", (event) => window.caught.push(String(event.reason)));
for (const kind of ["error", "warn"]) {
  console[kind] = (...words) => window.caught.push(words.join(" "));
}
