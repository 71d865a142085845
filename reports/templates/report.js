"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const data = JSON.parse(document.getElementById("data").textContent);

  // Colours: as the system has them, until somebody chooses.
  const theme = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const say = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
  try { const kept = localStorage.getItem("converse-theme"); if (kept === "dark" || kept === "light") root.dataset.theme = kept; } catch { /* a page from a disk may have no storage */ }
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("converse-theme", root.dataset.theme); } catch { /* likewise */ }
    say();
  });
  dark.addEventListener("change", say);
  say();

  // Small helpers: text is always text, whatever it says.
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const commandLine = (text) => {
    const button = make("button", { type: "button", class: "small-button" }, "Copy");
    button.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(button.previousElementSibling); button.textContent = "Selected"; }
    });
    const words = text.split(" ").flatMap((word, index) => [index ? " " : null, make("span", {}, word)]);
    return make("div", { class: "command" }, make("code", {}, ...words), button);
  };
  for (const line of document.querySelectorAll("[data-command]")) line.replaceWith(commandLine(line.dataset.command));

  // Sorting: within each group of rows; the third press restores the order of the paper.
  const key = (row, column) => {
    const cell = row.children[column];
    const value = cell.dataset.sort;
    if (value === undefined) return cell.textContent.trim().toLowerCase();
    return value === "" ? null : Number(value);
  };
  for (const table of document.querySelectorAll("table[data-sheet]")) {
    const bodies = [...table.tBodies];
    const order = new Map();
    for (const body of bodies) for (const [index, row] of [...body.rows].entries()) order.set(row, index);
    for (const button of table.querySelectorAll(".sort")) {
      button.addEventListener("click", () => {
        const head = button.closest("th");
        const column = Number(button.dataset.column);
        const first = button.dataset.first;
        const second = first === "descending" ? "ascending" : "descending";
        const now = head.getAttribute("aria-sort");
        const next = now === first ? second : now === second ? "none" : first;
        for (const other of table.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", next);
        const sign = next === "descending" ? -1 : 1;
        for (const body of bodies) {
          const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
          rows.sort((a, b) => {
            if (next === "none") return order.get(a) - order.get(b);
            const [x, y] = [key(a, column), key(b, column)];
            if (x === null || y === null) return (x === null) - (y === null) || order.get(a) - order.get(b);
            const difference = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
            return sign * difference || order.get(a) - order.get(b);
          });
          body.append(...rows);
        }
      });
    }
  }

  // Filters: words of the row's name or heading, verdicts, and whether anything was measured.
  for (const tools of document.querySelectorAll(".tools")) {
    const table = document.getElementById(tools.dataset.table);
    const [words, verdict, measured, said] = ["input[type=search]", "select", "[data-measured]", "output"].map((one) => tools.querySelector(one));
    const has = (row) => [...row.cells].some((cell) => cell.dataset.sort);
    const update = () => {
      const wanted = (words?.value ?? "").trim().toLowerCase().split(/\s+/).filter(Boolean);
      let [shown, whole] = [0, 0];
      for (const body of table.tBodies) {
        let any = false;
        for (const row of body.rows) {
          if (row.classList.contains("group")) continue;
          const text = row.dataset.words;
          const visible = wanted.every((word) => text.includes(word)) && (!verdict?.value || row.dataset.verdicts.split(",").includes(verdict.value))
            && (!measured?.checked || has(row));
          row.hidden = !visible;
          any ||= visible;
          whole += 1;
          shown += visible;
        }
        body.hidden = !any;
      }
      said.textContent = shown === whole ? "" : `${shown} of ${whole} rows`;
    };
    words?.addEventListener("input", update);
    verdict?.addEventListener("change", update);
    measured?.addEventListener("change", update);

    // Columns: the first one stays. What spans several keeps spanning those that are left.
    const boxes = [...tools.querySelectorAll("[data-column]")];
    const choose = () => {
      const shown = new Set([0, ...boxes.filter((box) => box.checked).map((box) => Number(box.dataset.column))]);
      const [groups, ...heads] = table.tHead.rows.length > 1 ? table.tHead.rows : [null, ...table.tHead.rows];
      let at = 0;
      for (const cell of groups?.cells ?? []) {
        const span = Number((cell.dataset.span ??= cell.colSpan));
        const left = Array.from({ length: span }, (_, place) => at + place).filter((column) => shown.has(column)).length;
        cell.hidden = left === 0;
        cell.colSpan = Math.max(left, 1);
        at += span;
      }
      for (const row of [...heads, ...[...table.tBodies].flatMap((body) => [...body.rows])]) {
        if (row.classList.contains("group")) row.cells[0].colSpan = shown.size;
        else for (const [column, cell] of [...row.cells].entries()) cell.hidden = !shown.has(column);
      }
    };
    for (const box of boxes) box.addEventListener("change", choose);
  }

  // Provenance.
  const dialog = document.getElementById("provenance");
  const [title, body] = [dialog.querySelector("h2"), dialog.querySelector(".body")];
  const list = (pairs) => make("dl", { class: "facts" }, ...pairs.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  const shown = (value, digits) => (value === null ? "–" : typeof value === "string" ? value : value === Infinity ? "∞" : !Number.isFinite(value) ? "−∞" : value.toFixed(digits).replace("-", "−"));
  // A value whose image can be seen opens it.
  const linked = (evidence, name, line, text) => {
    if (typeof converseViewer === "undefined" || line >= evidence.values.length) return text;
    const ofLine = (id) => converseViewer.seeds.has(id) && (!evidence.seeds.length || converseViewer.seeds.get(id) === evidence.seeds[line]);
    // Of a difference: the one network beside the other.
    const trial = evidence.trials.find((id) => ofLine(id) && !evidence.base.includes(id));
    const hash = trial && converseViewer.find(evidence.dataset, name, trial, evidence.base.find(ofLine));
    if (!hash) return text;
    const button = make("button", { type: "button", class: "value-button", title: `See ${name}` }, text);
    button.addEventListener("click", () => { dialog.close(); location.hash = hash; });
    return button;
  };
  const imageTable = (evidence) => {
    const names = data.images[evidence.images];
    if (!names || !names.length) return null;
    // An image that one seed restores without any error has an infinite mean; one without a value has none.
    const number = (value) => (value === "∞" ? Infinity : value === "−∞" ? -Infinity : value);
    const rows = names.map((name, index) => {
      const values = evidence.values.map((line) => line[index]);
      const known = values.map(number).filter((value) => value !== null);
      return { name, values, mean: known.length ? known.reduce((a, b) => a + b) / known.length : null };
    });
    const worst = evidence.lower ? -1 : 1;
    const better = (a, b) => (a === b ? 0 : a < b ? -1 : 1);
    rows.sort((a, b) => (a.mean === null) - (b.mean === null) || worst * better(a.mean, b.mean));
    const several = evidence.values.length > 1;
    const heads = several ? [...evidence.seeds.map((seed) => `seed ${seed}`), "mean"] : ["value"];
    const head = make("tr", {}, make("th", { scope: "col", class: "stub" }, "Image"), ...heads.map((text) => make("th", { scope: "col" }, text)));
    const lines = rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.name),
      ...(several ? [...row.values, row.mean] : row.values).map((value, line) => make("td", {}, linked(evidence, row.name, line, shown(value, evidence.digits))))));
    const table = make("table", {}, make("caption", { class: "unseen" }, "Values of each image, from the worst to the best"), make("thead", {}, head), make("tbody", {}, ...lines));
    return [make("h3", {}, `${rows.length} image${rows.length === 1 ? "" : "s"} of ${evidence.dataset}, from the worst to the best`),
      make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Values of each image" }, table)];
  };
  let address = "";
  const write = (hash) => { try { history.replaceState(null, "", hash); } catch { /* a page from a disk may not be allowed to */ } };
  const open = (button) => {
    address = button.id;
    const cell = data.cells[button.dataset.cell];
    title.textContent = cell.title;
    body.replaceChildren(list(cell.facts));
    if (cell.evidence !== null) {
      const evidence = data.evidence[cell.evidence];
      body.append(...(imageTable(evidence) ?? []));
      if (evidence.trials.length) body.append(make("h3", {}, "Trials"));
      for (const id of evidence.trials) {
        const trial = data.trials[id];
        body.append(make("p", { class: "trial" }, make("code", {}, id), ` ${trial.join(" · ")}`));
      }
    }
    if (cell.command) body.append(make("h3", {}, "To measure it"), commandLine(cell.command));
    if (cell.again) body.append(make("h3", {}, "To measure it again"), commandLine(cell.again));
    body.scrollTop = 0;
    dialog.showModal();
    write(`#${address}`);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.cell");
    if (button) open(button);
    else if (event.target === dialog) dialog.close();
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { if (location.hash === `#${address}`) write(`${location.pathname}${location.search}`); });
  const link = dialog.querySelector("[data-link]");
  link.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(new URL(`#${address}`, location.href).href); link.textContent = "Copied"; }
    catch { link.textContent = "The address has it"; }
    setTimeout(() => { link.textContent = "Copy link"; }, 2000);
  });
  // A link to a cell opens it; one to a table or figure that is folded away unfolds it.
  const follow = () => {
    const target = document.getElementById(location.hash.slice(1));
    const folded = target?.closest("details") ?? target?.parentElement.querySelector(":scope > details.box");
    if (folded) folded.open = true;
    if (target?.classList.contains("cell")) { target.scrollIntoView({ block: "center" }); if (!dialog.open) open(target); }
    else if (folded) target.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  follow();

  // Where one is.
  const links = new Map([...document.querySelectorAll("nav.contents a")].map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "0px 0px -80% 0px" });
  for (const section of document.querySelectorAll("main section[id]")) watcher.observe(section);
  const contents = document.querySelector("nav.contents details");
  if (matchMedia("(min-width: 72rem)").matches) contents.open = true;

  // Print what is folded, too.
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("main details")) { one.dataset.was = one.open; one.open = true; } });
  addEventListener("afterprint", () => { for (const one of document.querySelectorAll("main details")) one.open = one.dataset.was === "true"; });
})();
