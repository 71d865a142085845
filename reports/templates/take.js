// Tables and figures to be taken away: copied, or saved as a file. Nothing is asked of any network.
(() => {
  const KINDS = [
    ["tex", "LaTeX"], ["paper.tex", "LaTeX as in a paper"], ["csv", "CSV"], ["md", "Markdown"], ["json", "JSON"],
  ];
  const button = (text, label) => {
    const element = document.createElement("button");
    element.type = "button";
    element.className = "small-button";
    element.textContent = text;
    element.setAttribute("aria-label", label);
    return element;
  };
  const save = (name, blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* a page from a disk may not be allowed to */ }
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const text = (content) => new Blob([content], { type: "text/plain;charset=utf-8" });
  const said = (element, text) => {
    const before = element.textContent;
    element.textContent = text;
    setTimeout(() => { element.textContent = before; }, 2000);
  };

  let tables = null; // parsed when somebody asks for one
  for (const tools of document.querySelectorAll(".tools")) {
    const menu = tools.querySelector(".take");
    menu.addEventListener("toggle", () => {
      const inside = menu.querySelector("div");
      if (!menu.open || inside.childElementCount) return;
      tables ??= JSON.parse(document.getElementById("tables").textContent);
      const { key } = tools.dataset;
      for (const [kind, name] of KINDS.filter(([one]) => tables[key][one] !== undefined)) {
        const [taking, saving] = [button("Copy", `Copy as ${name}`), button("Download", `Download as ${name}`)];
        taking.addEventListener("click", async () => said(taking, (await copy(tables[key][kind])) ? "Copied" : "Not copied"));
        saving.addEventListener("click", () => save(`${key}.${kind}`, text(tables[key][kind])));
        const line = document.createElement("div");
        line.append(name, taking, saving);
        inside.append(line);
      }
    });
  }

  // Only one menu is open at a time, and Escape or a press beside it closes it.
  const menus = [...document.querySelectorAll("details.menu")];
  for (const menu of menus) {
    menu.addEventListener("toggle", () => {
      // What it shows is wider than it, and lies below it: not beyond the right side of the screen.
      const shown = menu.querySelector(":scope > div");
      shown.style.translate = "";
      const beyond = shown.getBoundingClientRect().right + 16 - document.documentElement.clientWidth;
      if (menu.open && beyond > 0) shown.style.translate = `${-beyond}px`;
    });
  }
  document.addEventListener("click", (event) => { for (const menu of menus) if (!menu.contains(event.target)) menu.open = false; });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" ? menus.find((one) => one.open) : undefined;
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  // Figures, in dark ink: as the drawing that the page has, or as pixels of it; and the numbers that are drawn.
  let values = null;
  const drawing = (figure) => {
    const svg = figure.querySelector("svg").cloneNode(true);
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    svg.style.color = "#1f2328";
    return new XMLSerializer().serializeToString(svg);
  };
  for (const place of document.querySelectorAll("[data-figure]")) {
    const { figure: name } = place.dataset;
    const figure = place.closest("figure");
    const [svg, png] = [button("SVG", `Download ${name} as SVG`), button("PNG", `Download ${name} as PNG`)];
    svg.addEventListener("click", () => save(`${name}.svg`, new Blob([drawing(figure)], { type: "image/svg+xml" })));
    png.addEventListener("click", () => {
      const image = new Image();
      image.addEventListener("load", () => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width * 2, image.height * 2];
        const context = canvas.getContext("2d");
        context.fillStyle = "#fff";
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.drawImage(image, 0, 0, canvas.width, canvas.height);
        canvas.toBlob((blob) => save(`${name}.png`, blob), "image/png");
      });
      image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(drawing(figure))}`;
    });
    place.append(svg, png);
    for (const [kind, as] of [["csv", "CSV"], ["json", "JSON"]]) {
      const data = button(as, `Download the numbers of ${name} as ${as}`);
      data.addEventListener("click", () => {
        values ??= JSON.parse(document.getElementById("values").textContent);
        save(`${name}.${kind}`, text(values[name][kind]));
      });
      place.append(data);
    }
  }
})();
