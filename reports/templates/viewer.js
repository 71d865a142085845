"use strict";
// The image viewer. Nothing is computed from pixels here, which a page from a disk may not read: errors are shown by blending.
const converseViewer = (() => {
  const { metrics, shelves } = JSON.parse(document.getElementById("pictures").textContent);
  const at = (name) => document.getElementById(`viewer-${name}`);
  const dialog = document.getElementById("viewer");
  const stage = at("stage");
  const panes = { a: stage.querySelector(".pane[data-side=a]"), b: stage.querySelector(".pane[data-side=b]") };
  const divider = stage.querySelector(".divider");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const BLINK = 700; // milliseconds: far below three flashes in a second
  const LARGEST = 32; // screen pixels of one pixel
  const MODES = ["slider", "blink", "side"];
  const shelfOf = new Map(shelves.map((shelf, index) => [shelf.key, index]));

  // What is shown: the address has all of it.
  const state = { shelf: 0, picture: 0, a: 0, b: 0, mode: "slider", at: 50, error: false, range: 32, zoom: null, x: 0.5, y: 0.5 };
  let [blinking, now, opener] = [null, "a", null];
  const shelf = () => shelves[state.shelf];
  const picture = () => shelf().pictures[state.picture];
  const layer = (side) => shelf().layers[state[side]];
  const print = (side) => picture().prints[state[side]];
  const cardImage = (inShelf, ofPicture) => document.querySelector(`.card[data-shelf="${inShelf.key}"][data-picture="${ofPicture.key}"] img`);
  const address = (index) => picture().prints[index].file || cardImage(shelf(), picture()).src;
  const truth = () => shelf().layers.findIndex((one, index) => one.kind === "truth" && picture().prints[index]);
  const limit = (value, low, high) => Math.min(high, Math.max(low, value));
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  };

  // Where everything lies: both panes have the same place of the image in their middle, at the same size.
  const size = () => ({ width: panes.a.clientWidth, height: panes.a.clientHeight });
  const fitting = () => Math.min(size().width / picture().width, size().height / picture().height);
  const zoom = () => state.zoom ?? fitting();
  const place = () => {
    const { width, height } = size();
    const scale = zoom();
    const half = (pane, whole) => (whole * scale <= pane ? 0.5 : pane / 2 / (whole * scale));
    const [dx, dy] = [half(width, picture().width), half(height, picture().height)];
    state.x = limit(state.x, dx, 1 - dx);
    state.y = limit(state.y, dy, 1 - dy);
    const [left, top] = [width / 2 - state.x * picture().width * scale, height / 2 - state.y * picture().height * scale];
    for (const pane of Object.values(panes)) {
      const plane = pane.firstElementChild;
      plane.style.width = `${picture().width}px`;
      plane.style.height = `${picture().height}px`;
      plane.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    }
    stage.classList.toggle("sharp", scale * devicePixelRatio >= 2);
    at("zoom").textContent = `${Math.round(scale * 100)} %`;
    divider.style.left = `${state.at}%`;
    panes.b.style.clipPath = state.mode === "slider" ? `inset(0 0 0 ${state.at}%)` : "none";
    panes.a.style.clipPath = state.mode === "slider" ? `inset(0 ${100 - state.at}% 0 0)` : "none";
  };
  const zoomTo = (wanted, px, py) => {
    const { width, height } = size();
    const before = zoom();
    const after = limit(wanted, Math.min(fitting(), 1), LARGEST);
    const [dx, dy] = [(px ?? width / 2) - width / 2, (py ?? height / 2) - height / 2];
    state.x += (dx / before - dx / after) / picture().width;
    state.y += (dy / before - dy / after) / picture().height;
    state.zoom = after <= fitting() * 1.001 ? null : after;
    place();
    remember();
  };

  // What is shown in it.
  const load = (element, source) => { if (element.getAttribute("src") !== source) element.src = source; };
  const said = (one) => metrics.map(({ title, unit }, index) => (one.values[index] === null ? null : `${title} ${one.values[index]}${unit ? ` ${unit}` : ""}`)).filter((text) => text !== null);
  const show = () => {
    const clean = truth();
    for (const side of ["a", "b"]) {
      const [top, under] = panes[side].querySelectorAll("img");
      load(top, address(state[side]));
      const error = state.error && clean >= 0 && !print(side).coarse;
      under.hidden = !error;
      if (error) load(under, address(clean));
      panes[side].classList.toggle("error", error);
      stage.querySelector(`.name[data-side=${side}]`).textContent = layer(side).title;
      const values = layer(side).kind === "truth" ? ["clean image"] : said(print(side));
      at(`under-${side}`).replaceChildren(make("b", {}, `${side.toUpperCase()}: ${layer(side).title}`), values.length ? values.join(", ") : "not measured",
        state.error && !error ? ` — no error map: ${clean < 0 ? "the clean image is not at hand" : "it has fewer pixels"}` : "");
    }
    stage.dataset.mode = state.mode;
    stage.dataset.now = now;
    const gain = 255 / state.range / 3;
    const row = `${gain} ${gain} ${gain} 0 0`;
    dialog.querySelector("feColorMatrix").setAttribute("values", `${row} ${row} ${row} 0 0 0 1 0`);
    at("scale").hidden = !state.error;
    at("end").textContent = state.range;
    at("error").checked = state.error;
    at("range").value = state.range;
    at("at").value = state.at;
    at("at").closest("label").hidden = state.mode !== "slider";
    at("pause").hidden = state.mode !== "blink";
    for (const radio of dialog.querySelectorAll("[name=viewer-mode]")) radio.checked = radio.value === state.mode;
    for (const side of ["a", "b"]) at(side).value = state[side];
    at("picture").value = state.picture;
    at("shelf").value = state.shelf;
    at("title").textContent = `${shelf().place} · ${picture().name}`;
    at("note").textContent = [shelf().note, picture().part && `Shown are ${picture().part}.`].filter(Boolean).join(" ");
    for (const button of at("table").querySelectorAll("button")) button.setAttribute("aria-pressed", String(state[button.dataset.side] === Number(button.dataset.layer)));
    place();
    remember();
  };
  const options = (select, texts) => select.replaceChildren(...texts.map(([value, text]) => make("option", { value }, text)));
  const fill = () => {
    const there = shelf().layers.map((one, index) => [index, one]).filter(([index]) => picture().prints[index]);
    options(at("picture"), shelf().pictures.map((one, index) => [index, one.name]));
    for (const side of ["a", "b"]) options(at(side), there.map(([index, one]) => [index, one.title]));
    const used = metrics.map((_, index) => there.some(([number]) => picture().prints[number].values[index] !== null));
    const columns = metrics.map((one, index) => [one, index]).filter(([, index]) => used[index]);
    const heads = ["Image by", "Show as", ...columns.map(([one]) => (one.unit ? `${one.title}, ${one.unit}` : one.title))];
    at("table").tHead.replaceChildren(make("tr", {}, ...heads.map((text, index) => make("th", { scope: "col", ...(index ? {} : { class: "stub" }) }, text))));
    at("table").tBodies[0].replaceChildren(...there.map(([index, one]) => make("tr", {}, make("th", { scope: "row" }, one.title),
      make("td", { class: "choose" }, ...["a", "b"].map((side) => make("button", { type: "button", class: "small-button", "data-side": side, "data-layer": index, "aria-label": `${one.title} as ${side.toUpperCase()}`, "aria-pressed": "false" }, side.toUpperCase()))),
      ...columns.map(([, column]) => make("td", {}, picture().prints[index].values[column] ?? "–")))));
  };
  const methods = () => shelf().layers.map((one, index) => [one, index]).filter(([one, index]) => one.kind === "method" && picture().prints[index]).map(([, index]) => index);
  const settle = () => {
    // What this image lacks gives way: first to the clean image beside a network, then to two networks.
    const there = (index) => Boolean(picture().prints[index]);
    const networks = methods();
    const first = truth() >= 0 ? truth() : networks[1] ?? networks[0];
    if (!there(state.a)) state.a = first;
    if (!there(state.b)) state.b = networks[0];
  };
  const turnTo = (inShelf, index) => {
    const keys = { a: shelf().layers[state.a]?.key, b: shelf().layers[state.b]?.key };
    if (inShelf !== state.shelf) {
      state.shelf = inShelf;
      for (const side of ["a", "b"]) state[side] = shelf().layers.findIndex((one) => one.key === keys[side]);
    }
    state.picture = (index + shelf().pictures.length) % shelf().pictures.length;
    settle();
    fill();
    show();
    at("said").textContent = `${picture().name}, ${state.picture + 1} of ${shelf().pictures.length}`;
  };
  const choose = (side, index) => { if (picture().prints[index]) { state[side] = index; show(); } };
  const exchange = () => { [state.a, state.b] = [state.b, state.a]; show(); };
  const blinkOnce = () => { now = now === "a" ? "b" : "a"; stage.dataset.now = now; };
  const pause = (still) => {
    clearInterval(blinking);
    blinking = still ? null : setInterval(blinkOnce, BLINK);
    at("pause").textContent = still ? "Go on" : "Pause";
  };
  const setMode = (mode) => { state.mode = mode; pause(mode !== "blink" || calm.matches); show(); };

  // The address: what is shown can be sent, marked and opened again.
  const fragment = (ofShelf, ofPicture, more = {}) => `#${new URLSearchParams({ image: `${ofShelf.key}/${ofPicture.key}`, ...more })}`;
  const here = () => fragment(shelf(), picture(), {
    a: layer("a").key, b: layer("b").key, mode: state.mode,
    ...(state.mode === "slider" ? { at: Math.round(state.at) } : {}),
    ...(state.error ? { error: state.range } : {}),
    ...(state.zoom === null ? {} : { zoom: state.zoom.toFixed(3), x: state.x.toFixed(4), y: state.y.toFixed(4) }),
  });
  let waiting = null;
  const write = (hash) => { try { history.replaceState(null, "", hash); } catch { /* a page from a disk may not be allowed to */ } };
  const remember = () => {
    if (!dialog.open) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (dialog.open) write(here()); }, 150); // browsers refuse a hundred in a few seconds
  };
  const number = (text, low, high, other) => { const value = Number.parseFloat(text); return Number.isFinite(value) ? limit(value, low, high) : other; };
  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    const [key, of] = (asked.get("image") ?? "").split("/");
    const index = shelfOf.get(key);
    const found = index === undefined ? -1 : shelves[index].pictures.findIndex((one) => one.key === of);
    if (found < 0) return false;
    const layerOf = (name) => shelves[index].layers.findIndex((one) => one.key === asked.get(name));
    const range = Number(asked.get("error"));
    const known = [...at("range").options].some((one) => Number(one.value) === range);
    Object.assign(state, {
      shelf: index, picture: found, a: layerOf("a"), b: layerOf("b"), mode: MODES.includes(asked.get("mode")) ? asked.get("mode") : "slider",
      at: number(asked.get("at"), 0, 100, 50), error: known, range: known ? range : state.range,
      zoom: asked.has("zoom") ? number(asked.get("zoom"), 0.01, LARGEST, null) : null, x: number(asked.get("x"), 0, 1, 0.5), y: number(asked.get("y"), 0, 1, 0.5),
    });
    return true;
  };
  const open = () => {
    settle();
    if (!dialog.open) { opener = document.activeElement; dialog.showModal(); }
    fill();
    setMode(state.mode);
    stage.focus();
  };
  dialog.addEventListener("close", () => {
    pause(true);
    clearTimeout(waiting);
    write(`${location.pathname}${location.search}`);
    opener?.focus?.();
  });

  // Mouse, pen and fingers.
  const held = new Map();
  const STILL = 8; // pixels that a finger may slip in a tap
  let [drag, pinch, pressed, lastTap] = [null, null, null, { time: 0 }];
  const inPane = (event) => {
    // Panes lie on, beside or below one another: where in its own pane a point is.
    const box = (event.target.closest(".pane") ?? panes.a).getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, left: event.clientX, top: event.clientY };
  };
  const spread = () => { const [one, other] = [...held.values()]; return { distance: Math.hypot(one.x - other.x, one.y - other.y), x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 }; };
  const slide = (event) => {
    const box = stage.getBoundingClientRect();
    state.at = limit((100 * (event.clientX - box.left)) / box.width, 0, 100);
    at("at").value = state.at;
    place();
    remember();
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    stage.setPointerCapture(event.pointerId);
    held.set(event.pointerId, inPane(event));
    pressed = held.size === 1 ? { x: event.clientX, y: event.clientY } : null;
    const box = stage.getBoundingClientRect();
    const near = Math.abs(event.clientX - box.left - (box.width * state.at) / 100) < 26;
    if (held.size === 2) { [drag, pinch] = [null, spread()]; return; }
    const whole = zoom() <= fitting() * 1.001;
    drag = state.mode === "slider" && (near || whole) ? "slide" : "move";
    if (drag === "slide") slide(event);
    stage.classList.toggle("moving", drag === "move");
  });
  stage.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before.left, event.clientY - before.top];
    held.set(event.pointerId, { x: before.x + dx, y: before.y + dy, left: event.clientX, top: event.clientY });
    if (held.size === 2 && pinch) {
      const after = spread();
      const scale = zoom();
      state.x -= (after.x - pinch.x) / scale / picture().width;
      state.y -= (after.y - pinch.y) / scale / picture().height;
      zoomTo((scale * after.distance) / Math.max(1, pinch.distance), after.x, after.y);
      pinch = after;
    } else if (drag === "slide") slide(event);
    else if (drag === "move") {
      state.x -= dx / zoom() / picture().width;
      state.y -= dy / zoom() / picture().height;
      place();
      remember();
    }
  });
  const release = (event) => {
    held.delete(event.pointerId);
    if (held.size < 2) pinch = null;
    if (!held.size) { drag = null; stage.classList.remove("moving"); }
  };
  stage.addEventListener("pointerup", (event) => {
    // Only a press that ends where it began is a tap: neither a stroke nor the end of a pinch is.
    const tap = { time: event.timeStamp, x: event.clientX, y: event.clientY };
    const apart = (one) => Math.hypot(tap.x - one.x, tap.y - one.y);
    if (!pressed || apart(pressed) > STILL) lastTap = { time: 0 };
    else if (tap.time - lastTap.time < 350 && apart(lastTap) < 24) {
      const { x, y } = inPane(event);
      zoomTo(state.zoom === null ? Math.max(4, 3 * fitting()) : 0, x, y);
      lastTap = { time: 0 };
    } else lastTap = tap;
    release(event);
  });
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = inPane(event);
    zoomTo(zoom() * 1.2 ** limit(-event.deltaY / 60, -3, 3), x, y);
  }, { passive: false });

  // Keys: while the picture has the focus, so that letters do nothing elsewhere.
  const nudge = (dx, dy) => {
    const scale = zoom();
    state.x += (dx * size().width) / 10 / scale / picture().width;
    state.y += (dy * size().height) / 10 / scale / picture().height;
    place();
    remember();
  };
  const slideBy = (step) => { state.at = limit(state.at + step, 0, 100); show(); };
  const keys = {
    ArrowLeft: () => nudge(-1, 0), ArrowRight: () => nudge(1, 0), ArrowUp: () => nudge(0, -1), ArrowDown: () => nudge(0, 1),
    "+": () => zoomTo(zoom() * 1.5), "=": () => zoomTo(zoom() * 1.5), "-": () => zoomTo(zoom() / 1.5), 0: () => zoomTo(0),
    "[": () => slideBy(-5), "]": () => slideBy(5), n: () => turnTo(state.shelf, state.picture + 1), p: () => turnTo(state.shelf, state.picture - 1),
    x: exchange, s: () => setMode("slider"), b: () => setMode("blink"), d: () => setMode("side"),
    " ": () => { if (state.mode !== "blink") setMode("blink"); pause(true); blinkOnce(); },
    e: () => { state.error = !state.error; show(); },
  };
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const digit = /^Digit([1-9])$/.exec(event.code);
    const there = shelf().layers.map((_, index) => index).filter((index) => picture().prints[index]);
    const act = digit ? () => { const index = there[Number(digit[1]) - 1]; if (index !== undefined) choose(event.shiftKey ? "a" : "b", index); } : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // Controls.
  options(at("shelf"), shelves.map((one, index) => [index, one.title]));
  at("shelf").addEventListener("change", () => turnTo(Number(at("shelf").value), 0));
  at("picture").addEventListener("change", () => turnTo(state.shelf, Number(at("picture").value)));
  for (const side of ["a", "b"]) at(side).addEventListener("change", () => choose(side, Number(at(side).value)));
  at("previous").addEventListener("click", () => turnTo(state.shelf, state.picture - 1));
  at("next").addEventListener("click", () => turnTo(state.shelf, state.picture + 1));
  at("swap").addEventListener("click", exchange);
  for (const radio of dialog.querySelectorAll("[name=viewer-mode]")) radio.addEventListener("change", () => setMode(radio.value));
  at("pause").addEventListener("click", () => pause(blinking !== null));
  at("error").addEventListener("change", () => { state.error = at("error").checked; show(); });
  at("range").addEventListener("change", () => { state.range = Number(at("range").value); state.error = true; show(); });
  at("in").addEventListener("click", () => zoomTo(zoom() * 1.5));
  at("out").addEventListener("click", () => zoomTo(zoom() / 1.5));
  at("fit").addEventListener("click", () => zoomTo(0));
  at("at").addEventListener("input", () => { state.at = Number(at("at").value); place(); remember(); });
  at("close").addEventListener("click", () => dialog.close());
  at("table").addEventListener("click", (event) => { const button = event.target.closest("button"); if (button) choose(button.dataset.side, Number(button.dataset.layer)); });
  at("link").addEventListener("click", async () => {
    write(here());
    try { await navigator.clipboard.writeText(new URL(here(), location.href).href); at("link").textContent = "Copied"; }
    catch { at("link").textContent = "The address has it"; }
    setTimeout(() => { at("link").textContent = "Copy link"; }, 2000);
  });
  new ResizeObserver(() => { if (dialog.open) place(); }).observe(stage);
  for (const card of document.querySelectorAll(".card")) {
    const inShelf = shelves[shelfOf.get(card.dataset.shelf)];
    card.href = fragment(inShelf, inShelf.pictures.find((one) => one.key === card.dataset.picture));
  }
  addEventListener("hashchange", () => { if (read()) open(); });
  if (read()) open();

  // For the table of values of each image.
  const find = (placeName, name, trial, base) => {
    for (const one of shelves) {
      if (one.place !== placeName) continue;
      const at = (key) => one.layers.findIndex((of) => of.key === key);
      const index = at(trial);
      const found = index < 0 ? undefined : one.pictures.find((of) => of.name === name && of.prints[index]);
      const beside = found && [base, "truth"].find((key) => at(key) >= 0 && found.prints[at(key)]);
      if (found) return fragment(one, found, { ...(beside ? { a: beside } : {}), b: trial });
    }
    return null;
  };
  const seeds = new Map(shelves.flatMap((one) => one.layers.filter((of) => of.kind === "method").map((of) => [of.key, of.seed])));
  return { find, seeds };
})();
