(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Tables: sort by a column, and filter the rows of long ones.
  const key = (cell, kind) => {
    const raw = cell.dataset.value ?? cell.textContent.trim();
    return kind === "number" ? (raw === "" ? NaN : Number(raw)) : raw.toLocaleLowerCase();
  };
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b);
    return Number.isNaN(a) - Number.isNaN(b) || a - b;
  };
  const sortBy = (header) => {
    const table = header.closest("table");
    const column = [...header.parentElement.children].indexOf(header);
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const kind = header.dataset.sort;
    const rows = [...table.tBodies[0].rows].map((row) => [key(row.children[column], kind), row]);
    const known = rows.filter(([k]) => !Number.isNaN(k)).sort((a, b) => compare(a[0], b[0]));
    if (!ascending) known.reverse();
    const unknown = rows.filter(([k]) => Number.isNaN(k));
    table.tBodies[0].append(...known.concat(unknown).map(([, row]) => row));
  };
  for (const header of all("table.sortable th[data-sort]")) {
    const button = make("button", { type: "button" }, ...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortBy(header));
  }
  for (const table of all("table.sortable")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length <= 12) continue;
    const input = make("input", { type: "search" });
    const count = make("output", { className: "soft" });
    count.setAttribute("aria-live", "polite");
    const words = rows.map((row) => row.cells[0].textContent.toLocaleLowerCase());
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLocaleLowerCase();
      rows.forEach((row, i) => row.classList.toggle("off", !words[i].includes(wanted)));
      const shown = rows.filter((row) => !row.classList.contains("off")).length;
      count.textContent = wanted ? `${shown} of ${rows.length}` : "";
    });
    table.parentElement.before(make("p", { className: "rowfilter" }, make("label", {}, "Filter rows ", input), " ", count));
  }

  // Methods: one switch for the whole page.
  for (const box of all("[data-filter]")) {
    box.checked = true;
    box.addEventListener("change", () => {
      for (const part of all("[data-method]"))
        if (part.dataset.method === box.dataset.filter) part.classList.toggle("off", !box.checked);
    });
  }

  // Galleries: what is shown has the words that were chosen.
  for (const filter of all("fieldset.gallery-filter")) {
    const items = [...document.getElementById(filter.dataset.for).children];
    const selects = all("select", filter);
    const apply = () => {
      const misses = (item, { value, dataset }) => value && !item.dataset[dataset.key].split(" ").includes(value);
      for (const item of items) item.classList.toggle("off", selects.some((select) => misses(item, select)));
      const shown = items.filter((item) => !item.classList.contains("off")).length;
      const none = shown ? "" : ": no listed image fits";
      filter.querySelector("output").textContent = `${shown} of ${items.length}${none}`;
    };
    for (const select of selects) select.addEventListener("change", apply);
    apply();
  }
  for (const filter of all("fieldset.filter")) filter.hidden = false;

  // Pictures: a closer look, by mouse or keyboard. Arrow keys walk within a row of pictures.
  const zoom = make("dialog", { className: "zoom" });
  const picture = make("img", { alt: "" });
  const caption = make("p", { dir: "auto" });
  caption.setAttribute("aria-live", "polite");
  const link = make("a", {}, "Link to this image");
  const step = (by) => () => {
    const next = opened.row[(opened.row.indexOf(opened.at) + by + opened.row.length) % opened.row.length];
    show(next);
  };
  const button = (text, label, click) => {
    const made = make("button", { type: "button" }, text);
    made.setAttribute("aria-label", label);
    made.addEventListener("click", click);
    return made;
  };
  const previous = button("←", "Previous picture", step(-1));
  const next = button("→", "Next picture", step(1));
  const close = button("✕", "Close", () => zoom.close());
  zoom.append(make("div", { className: "bar" }, previous, next, close), picture, caption, link);
  zoom.setAttribute("aria-label", "A closer look");
  let opened = null;
  const rowOf = (shot) => all("button.look", shot.closest(".strip, .sets, .camgrid, .gallery, table, section"));
  const show = (shot) => {
    opened = { at: shot, row: rowOf(shot).filter((other) => other.checkVisibility()) };
    const image = shot.querySelector("img");
    const words = shot.closest(".shot, .cam, tr")?.querySelector("p, figcaption")?.textContent.trim();
    picture.src = image.src;
    picture.alt = image.alt;
    caption.textContent = [image.alt, words, image.title].filter(Boolean).join(" · ");
    const id = shot.closest("[data-image]")?.dataset.image;
    link.hidden = !id;
    link.href = `#image-${id}`;
    for (const arrow of [previous, next]) arrow.hidden = opened.row.length < 2;
    if (!zoom.isConnected) document.body.append(zoom);
    if (!zoom.open) zoom.showModal();
  };
  zoom.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1)();
    if (event.key === "ArrowRight") step(1)();
  });
  zoom.addEventListener("click", (event) => {
    if (event.target === zoom || event.target === link) zoom.close();
  });
  zoom.addEventListener("close", () => opened?.at.focus());
  for (const image of all(".thumb img")) {
    const look = make("button", { type: "button", className: "look" });
    image.replaceWith(look);
    look.append(image);
    look.addEventListener("click", () => show(look));
  }
  for (const row of new Set(all("button.look").map((look) => rowOf(look)[0])))
    rowOf(row).forEach((look, i) => (look.tabIndex = i ? -1 : 0));
  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || zoom.open || !event.target.classList?.contains("look")) return;
    const row = rowOf(event.target).filter((other) => other.checkVisibility());
    const to = row[row.indexOf(event.target) + by];
    if (!to) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });

  // Charts: values under the pointer.
  const tip = make("div", { className: "tip", hidden: true });
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  document.addEventListener("pointerover", (event) => {
    const mark = event.target.closest?.("[data-tip]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const { left, top, bottom, width } = mark.getBoundingClientRect();
    const middle = Math.min(Math.max(left + width / 2, tip.offsetWidth / 2 + 4), innerWidth - tip.offsetWidth / 2 - 4);
    tip.style.left = `${middle + scrollX}px`;
    const above = top - tip.offsetHeight - 6;
    tip.style.top = `${scrollY + (above > 0 ? above : bottom + 6)}px`;
  });

  // Links to what lies in a closed part open it; switches and filters that hide it let go of it.
  const change = (input) => input.dispatchEvent(new Event("change"));
  const unhide = (part) => {
    const box = part.dataset?.method && document.querySelector(`[data-filter="${part.dataset.method}"]`);
    const filter = document.querySelector(`.gallery-filter[data-for="${part.parentElement?.id}"]`);
    if (box && !box.checked) change(Object.assign(box, { checked: true }));
    for (const select of filter ? all("select", filter) : []) change(Object.assign(select, { value: "" }));
    part.classList.remove("off");
  };
  const land = () => {
    let name = location.hash.slice(1);
    try {
      name = decodeURIComponent(name);
    } catch {
      // a link that was cut in the middle of a character
    }
    const target = document.getElementById(name);
    for (let part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
      if (part.classList.contains("off")) unhide(part);
    }
    target?.scrollIntoView({ behavior: "instant" });
  };
  addEventListener("hashchange", land);
  if (location.hash) land();
})();
