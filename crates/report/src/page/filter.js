"use strict";
(() => {
  const box = document.getElementById("filter");
  const input = document.getElementById("words");
  const found = document.getElementById("found");
  const all = [...document.querySelectorAll("article")];
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const one of all) {
      one.hidden = !words.every((word) => one.dataset.words.includes(word));
      shown += one.hidden ? 0 : 1;
    }
    for (const chapter of document.querySelectorAll(".chapter")) {
      chapter.hidden = !chapter.querySelector("article:not([hidden])");
    }
    found.textContent = words.length ? `${shown} of ${all.length}` : "";
  };
  input.addEventListener("input", show);
  box.hidden = false;
  show();
})();
