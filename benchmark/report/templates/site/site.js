// Colours, sorting, filters, columns, search, comparing and copying. Every page can be read without it.
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
  const first = buttons.length ? buttons[0].dataset.verdict : "all";
  const chosen = () => (buttons.find((button) => button.getAttribute("aria-pressed") === "true") || { dataset: { verdict: "all" } }).dataset.verdict;
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
    if (verdict !== first) state.set("verdict", verdict);
    if (location.hash.slice(1) !== state.toString()) location.replace("#" + state); // a link to what is shown
  };
  const restore = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    press(state.get("verdict") || first);
    for (const select of selects) select.value = state.get(select.name) || "";
    show();
  };
  buttons.forEach((button) => button.addEventListener("click", () => { press(button.dataset.verdict); show(); }));
  selects.forEach((select) => select.addEventListener("change", show));
  form.addEventListener("reset", (event) => { event.preventDefault(); press(first); selects.forEach((s) => { s.value = ""; }); show(); });
  window.addEventListener("hashchange", restore);
  form.hidden = false;
  restore();
}

function chooser(table) { // on a phone two metrics stand beside the names; the reader takes others
  const heads = [...table.tHead.rows[0].cells];
  if (!heads.some((head) => head.dataset.choice === "False")) return;
  const box = document.createElement("fieldset");
  box.className = "chooser";
  box.setAttribute("aria-label", "Columns shown");
  heads.forEach((head, column) => {
    if (!head.dataset.choice) return;
    const label = document.createElement("label");
    const input = document.createElement("input");
    const show = () => { for (const row of table.rows) row.cells[column]?.classList.toggle("off", !input.checked); };
    input.type = "checkbox";
    input.checked = head.dataset.choice === "True";
    input.addEventListener("change", show);
    label.append(input, " " + head.textContent);
    box.append(label);
    show();
  });
  table.parentElement.before(box);
}

function search(form) { // SEARCH: [words, kind, address] of every page, from search.js
  const [field, list] = [form.querySelector("input"), form.querySelector("ul")];
  const link = ([words, kind, target]) => {
    const item = document.createElement("li");
    const anchor = document.createElement("a");
    const small = document.createElement("small");
    anchor.href = document.body.dataset.root + target;
    small.textContent = kind;
    anchor.append(words + " ", small);
    item.append(anchor);
    return item;
  };
  field.addEventListener("input", () => {
    const asked = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = asked.length ? SEARCH.filter((page) => asked.every((word) => `${page[0]} ${page[1]}`.toLowerCase().includes(word))) : [];
    list.replaceChildren(...hits.slice(0, 12).map(link));
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); list.querySelector("a")?.click(); });
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") { field.value = ""; list.replaceChildren(); } });
  form.hidden = false;
}

function compare(form) { // RUNS: key -> {metrics, intervals, params, page, folder}, from runs.js
  const [first, second] = [form.elements.a, form.elements.b];
  const place = (key) => { const [data, , split] = key.split("/"); return `${data}/${split}`; };
  const shown = (value) => (typeof value === "number" ? value.toFixed(4) : "–");
  const grid = (caption, head, rows) => {
    const scroll = document.createElement("div");
    const table = document.createElement("table");
    scroll.className = "scroll compare";
    table.createCaption().textContent = caption;
    const cells = (row, words, tag) => words.forEach((word, place) => {
      const cell = document.createElement(place && tag === "td" ? "td" : "th");
      cell.scope = tag === "th" ? "col" : "row";
      cell.textContent = word;
      row.append(cell);
    });
    cells(table.createTHead().insertRow(), head, "th");
    const body = table.createTBody();
    rows.forEach((words) => cells(body.insertRow(), words, "td"));
    scroll.append(table);
    return scroll;
  };
  const show = () => {
    const [a, b] = [RUNS[first.value], RUNS[second.value]];
    const out = document.getElementById("compared");
    if (!b) { out.textContent = "There is no other run of this data set and split."; return; }
    const bounds = (run, name) => (run.intervals[name] ? ` [${run.intervals[name].map(shown).join(", ")}]` : "");
    const metrics = Object.keys(a.metrics).filter((name) => name in b.metrics).map((name) => {
      const difference = b.metrics[name] - a.metrics[name];
      return [name, shown(a.metrics[name]) + bounds(a, name), shown(b.metrics[name]) + bounds(b, name), (difference > 0 ? "+" : "") + shown(difference)];
    });
    const words = (value) => (value === undefined ? "–" : JSON.stringify(value));
    const names = [...new Set([...Object.keys(a.params), ...Object.keys(b.params)])].filter((name) => words(a.params[name]) !== words(b.params[name]));
    const links = document.createElement("p");
    [[first.value, a], [second.value, b]].forEach(([key, run], place) => {
      const anchor = document.createElement("a");
      anchor.href = run.page;
      anchor.textContent = key;
      links.append(place ? "; B: " : "A: ", anchor);
    });
    const test = document.createElement("p");
    const code = document.createElement("code");
    code.textContent = `emde compare '${a.folder}' '${b.folder}'`;
    if (a.folder && b.folder) test.append("Paired test: ", code);
    out.replaceChildren(links, test, grid("Metrics", ["metric", "A", "B", "B − A"], metrics),
      grid("Parameters that differ", ["name", "A", "B"], names.map((name) => [name, words(a.params[name]), words(b.params[name])])));
    location.replace("#" + new URLSearchParams({ a: first.value, b: second.value }));
  };
  const others = (wanted) => {
    const keys = Object.keys(RUNS).filter((key) => key !== first.value && place(key) === place(first.value));
    second.replaceChildren(...keys.map((key) => new Option(key)));
    if (keys.includes(wanted)) second.value = wanted;
    show();
  };
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.get("a") in RUNS) first.value = asked.get("a");
  first.addEventListener("change", () => others());
  second.addEventListener("change", show);
  form.hidden = false;
  if (first.value) others(asked.get("b"));
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
  document.querySelectorAll("table.sortable").forEach((table) => { chooser(table); sortable(table); });
  const [finder, pair] = [document.getElementById("search"), document.getElementById("compare")];
  if (finder) search(finder);
  if (pair) compare(pair);
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
