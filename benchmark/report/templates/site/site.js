// Colours, sorting, filters and copying. Every page can be read without it.
"use strict";

const remembered = { // browsers may refuse storage to pages from file://
  get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
  set: (value) => { try { localStorage.setItem("theme", value); } catch { /* for this page only */ } },
};
if (remembered.get()) document.documentElement.dataset.theme = remembered.get(); // before anything is drawn

function theme() {
  const button = document.getElementById("theme");
  const dark = () => (document.documentElement.dataset.theme
    || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => { button.textContent = dark() ? "Light colours" : "Dark colours"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    remembered.set(document.documentElement.dataset.theme);
    show();
  });
  show();
}

function valueOf(cell) { // a number where there is one; dashes and empty cells are null
  const text = (cell.dataset.value ?? cell.textContent).trim();
  if (text === "" || text === "–") return null;
  const number = Number(text.replaceAll(",", "").split(" ")[0]);
  return Number.isNaN(number) ? text.toLowerCase() : number;
}

function compared(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const firstDown = !head.classList.contains("text") && column > 0; // large numbers first
      const before = head.getAttribute("aria-sort");
      const order = before ? (before === "ascending" ? "descending" : "ascending") : firstDown ? "descending" : "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row.cells[column]), row]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compared(a, b))); // empty ones last
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}

function filters(form) {
  const rows = [...document.querySelectorAll("tr[data-verdicts]")];
  const buttons = [...form.querySelectorAll("[data-verdict]")];
  const selects = [...form.querySelectorAll("select")];
  const chosen = () => buttons.find((button) => button.getAttribute("aria-pressed") === "true").dataset.verdict;
  const press = (name) => {
    const wanted = buttons.find((button) => button.dataset.verdict === name) || buttons[0];
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button === wanted)));
  };
  const show = () => {
    const verdict = chosen();
    for (const row of rows) {
      const judged = verdict === "all" || row.dataset.verdicts.split(" ").includes(verdict);
      row.hidden = !judged || selects.some((select) => select.value && row.dataset[select.name] !== select.value);
    }
    for (const section of document.querySelectorAll("section.matrix"))
      section.hidden = ![...section.querySelectorAll("tbody tr")].some((row) => !row.hidden);
    const count = rows.filter((row) => !row.hidden).length;
    document.getElementById("shown").textContent = `${count} of ${rows.length} rows shown`;
    const state = new URLSearchParams(selects.filter((s) => s.value).map((s) => [s.name, s.value]));
    if (verdict !== "ran") state.set("verdict", verdict);
    if (location.hash.slice(1) !== state.toString()) location.replace("#" + state); // a link to what is shown
  };
  const restore = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    press(state.get("verdict") || "ran");
    for (const select of selects) select.value = state.get(select.name) || "";
    show();
  };
  buttons.forEach((button) => button.addEventListener("click", () => { press(button.dataset.verdict); show(); }));
  selects.forEach((select) => select.addEventListener("change", show));
  form.addEventListener("reset", (event) => { event.preventDefault(); press("ran"); selects.forEach((s) => { s.value = ""; }); show(); });
  window.addEventListener("hashchange", restore);
  form.hidden = false;
  restore();
}

async function copy(text) { // the clipboard of file:// pages may be closed; a selected field still copies
  try { await navigator.clipboard.writeText(text); return true; } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  theme();
  document.querySelectorAll("table.sortable").forEach(sortable);
  const form = document.getElementById("filters");
  if (form) filters(form);
  document.querySelectorAll(".copy").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy(button.previousElementSibling.textContent);
      button.textContent = done ? "Copied" : "Select it by hand";
      button.focus();
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  });
});
