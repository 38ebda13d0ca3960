"use strict";
(() => {
  const form = document.getElementById("filter");
  const words = document.getElementById("words");
  const place = document.getElementById("place");
  const shown = document.getElementById("shown");
  const items = [...document.querySelectorAll(".item")].map((node) => ({
    node,
    words: node.dataset.words,
    area: node.dataset.area,
    rulings: node.dataset.rulings.trim().split(" "),
    changed: node.dataset.changed !== undefined,
  }));
  const groups = [...document.querySelectorAll(".group")];
  const none = document.getElementById("none");
  const changed = document.getElementById("changed");
  const boxes = [...form.querySelectorAll("[name=ruling]")];

  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const area = wanted.filter((word) => word.startsWith("area:")).map((word) => word.slice(5));
    const text = wanted.filter((word) => !word.startsWith("area:"));
    const rulings = boxes.filter((box) => box.checked).map((box) => box.value);
    const at = place && place.value !== "" ? Number(place.value) : null;
    let count = 0;
    for (const item of items) {
      const here = at === null ? item.rulings : [item.rulings[at]];
      const hit =
        (!changed || !changed.checked || item.changed) &&
        area.every((one) => item.area.toLowerCase() === one) &&
        text.every((one) => item.words.includes(one)) &&
        (rulings.length ? here.some((one) => rulings.includes(one)) : here.some((one) => one !== "-"));
      item.node.hidden = !hit;
      count += hit;
    }
    for (const group of groups) group.hidden = !group.querySelector(".item:not([hidden])");
    none.hidden = count > 0;
    shown.value = `${count} of ${items.length}`;
  };

  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    const item = target.closest(".item");
    if (item) {
      if (item.hidden) { form.reset(); apply(); }
      item.open = true;
      for (let inner = target.closest("details"); inner && inner !== item; inner = inner.parentElement.closest("details")) inner.open = true;
    }
    (item && target.classList.contains("inside") ? item : target).scrollIntoView();
  };

  form.hidden = false;
  let waiting = 0;
  words.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 80); });
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  document.getElementById("open").addEventListener("click", () => {
    const visible = items.filter((item) => !item.node.hidden);
    const open = visible.some((item) => !item.node.open);
    for (const item of visible) item.node.open = open;
  });
  for (const link of document.querySelectorAll(".count")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      words.value = link.dataset.area ? `area:${link.dataset.area}` : "";
      for (const box of boxes) box.checked = box.value === link.dataset.ruling;
      if (place) place.value = link.dataset.place;
      if (changed) changed.checked = false;
      apply();
      form.scrollIntoView();
    });
  }
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      const command = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(command.textContent);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(command);
        button.textContent = "selected";
      }
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
  }
  document.addEventListener("keydown", (event) => {
    const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); words.focus(); }
    if (event.key === "Escape" && (event.target === words || !typing)) { form.reset(); }
  });
  window.addEventListener("hashchange", reveal);
  apply();
  reveal();
})();
