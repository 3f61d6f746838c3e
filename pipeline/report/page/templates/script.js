(() => {
  "use strict";
  document.documentElement.classList.add("js");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  const change = (input) => input.dispatchEvent(new Event("change"));

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

  // Methods: one switch for the whole page. A chart or table whose methods are all hidden goes, too.
  const shells = all("[data-shell]").filter((shell) => shell.querySelector("[data-method]"));
  for (const box of all("[data-filter]")) {
    box.checked = true;
    box.addEventListener("change", () => {
      for (const part of all("[data-method]"))
        if (part.dataset.method === box.dataset.filter) part.classList.toggle("off", !box.checked);
      for (const shell of shells) shell.classList.toggle("off", all("[data-method]", shell).every((part) => part.classList.contains("off")));
      const isNone = all("[data-filter]").every((other) => !other.checked);
      for (const note of all(".none-shown")) note.hidden = !isNone;
    });
  }

  // Two methods beside each other: the switch above, set for both.
  for (const pair of all(".pair-filter")) {
    const [a, b] = all("select", pair);
    const choose = () => {
      b.disabled = !a.value; // beside all there is no other
      pair.querySelector("output").textContent = a.value && a.value === b.value ? "Choose two different methods." : "";
      for (const box of all("[data-filter]")) {
        const wanted = !a.value || [a.value, b.value].includes(box.dataset.filter);
        if (box.checked !== wanted) change(Object.assign(box, { checked: wanted }));
      }
    };
    for (const select of [a, b]) select.addEventListener("change", choose);
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
    const remember = () => {
      const chosen = selects.filter((select) => select.value).map((select) => [select.dataset.key, select.value]);
      const words = new URLSearchParams(chosen).toString();
      history.replaceState(null, "", `#${filter.closest("section").id}${words ? `?${words}` : ""}`);
    };
    for (const select of selects) select.addEventListener("change", (event) => (apply(), event.isTrusted && remember()));
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

  // Charts: values under the pointer and at the keyboard's focus; arrow keys walk from mark to mark.
  const tip = make("div", { className: "tip", hidden: true, role: "status" });
  document.body.append(tip);
  const tell = (mark) => {
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const { left, top, bottom, width } = mark.getBoundingClientRect();
    const middle = Math.min(Math.max(left + width / 2, tip.offsetWidth / 2 + 4), innerWidth - tip.offsetWidth / 2 - 4);
    tip.style.left = `${middle + scrollX}px`;
    const above = top - tip.offsetHeight - 6;
    tip.style.top = `${scrollY + (above > 50 ? above : bottom + 6)}px`;
  };
  document.addEventListener("pointerover", (event) => tell(event.target.closest?.("[data-tip]")));
  document.addEventListener("focusin", (event) => tell(event.target.closest?.("[data-tip]")));
  document.addEventListener("keydown", (event) => event.key === "Escape" && tell(null));

  // One stop of the Tab key for a bar of links and for a chart's marks; arrow keys move inside.
  const walk = (parts) => {
    const set = (at) => parts.forEach((part, i) => part.setAttribute("tabindex", i === at ? 0 : -1));
    set(Math.max(0, parts.findIndex((part) => part.hasAttribute("aria-current"))));
    parts.forEach((part, at) => {
      part.addEventListener("focus", () => set(at));
      part.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
        if (!by || !parts[at + by]) return;
        event.preventDefault();
        parts[at + by].focus();
      });
    });
  };
  for (const bar of all("[data-roving]")) walk(all("a", bar));
  for (const chart of all("[data-chart]")) {
    const marks = all("[data-tip]", chart);
    for (const mark of marks) {
      if (!mark.hasAttribute("role")) mark.setAttribute("role", mark.tagName === "TD" ? "cell" : "img");
      if (!mark.hasAttribute("aria-label") && mark.tagName !== "TD") mark.setAttribute("aria-label", mark.dataset.tip);
    }
    walk(marks);
  }

  // Links to what lies in a closed part open it; switches and filters that hide it let go of it.
  const unhide = (part) => {
    const box = part.dataset?.method && document.querySelector(`[data-filter="${part.dataset.method}"]`);
    const inside = part.matches?.("[data-shell]") ? all("[data-method]", part).map((one) => one.dataset.method) : [];
    for (const other of all("[data-filter]"))
      if (inside.includes(other.dataset.filter) && !other.checked) change(Object.assign(other, { checked: true }));
    const filter = document.querySelector(`.gallery-filter[data-for="${part.parentElement?.id}"]`);
    if (box && !box.checked) change(Object.assign(box, { checked: true }));
    for (const select of filter ? all("select", filter) : []) change(Object.assign(select, { value: "" }));
    part.classList.remove("off");
  };
  const views = all(".view");
  const bar = document.querySelector("header.bar");
  const measure = () => bar && document.documentElement.style.setProperty("--bar", `${bar.offsetHeight}px`);
  if (bar && "ResizeObserver" in window) new ResizeObserver(measure).observe(bar);
  // A note on links that lead nowhere. It stays in the page while it is empty, and what it says changes after the
  // page was read: a reader of screens tells of no region that came with its words, or that was hidden before.
  const notice = document.querySelector(".notice");
  let said = 0;
  const note = (text) => {
    if (!notice) return;
    clearTimeout(said);
    notice.classList.toggle("told", Boolean(text));
    const words = notice.querySelector("p");
    words.textContent = "";
    if (text) said = setTimeout(() => (words.textContent = text), 150);
  };
  notice?.querySelector("button").addEventListener("click", () => note(""));
  const unknown = (name) => {
    const image = /^image-(\d{1,12})$/.exec(name)?.[1];
    if (image) return `Image ${image} has no card in this report; its lists are under Images.`;
    return `This report has no place called “${name.slice(0, 60)}”.`;
  };
  const reveal = (view) => {
    for (const other of views) other.classList.toggle("shown", other === view);
    document.querySelector(".bar")?.classList.toggle("on-audit", view?.id === "audit");
    for (const link of all(".views a")) mark(link, view && link.hash === `#${view.id}`);
  };
  const mark = (link, is) => (is ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
  const land = () => {
    let [name, words] = location.hash.slice(1).split("?");
    try {
      name = decodeURIComponent(name);
    } catch {
      // a link that was cut in the middle of a character
    }
    const target = document.getElementById(name);
    if (views.length) reveal(target?.closest(".view") ?? views[0]);
    measure();
    const missed = [];
    for (const [k, value] of new URLSearchParams(words ?? "")) {
      const selects = all(`select[data-key="${CSS.escape(k)}"]`, target ?? document.body);
      const fit = selects.filter((select) => [...select.options].some((option) => option.value === value));
      for (const select of fit) change(Object.assign(select, { value }));
      if (!fit.length) missed.push(`${k}=${value}`);
    }
    if (name && !target) note(unknown(name));
    else if (missed.length) note(`This report has no choice called “${missed.join("&").slice(0, 60)}”: nothing is filtered by it.`);
    else note("");
    for (let part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
      if (part.classList.contains("off")) unhide(part);
    }
    // a test image has a card of its own, another image its picture in a strip
    const card = target?.closest(target.closest(".heats") ? ".target" : ".shot") ?? target?.closest(".target");
    if (name && !target) scrollTo({ top: 0, behavior: "instant" });
    else if (target?.classList.contains("view")) scrollTo({ top: 0, behavior: "instant" });
    else if (card) card.scrollIntoView({ behavior: "instant", block: "start" });
    else target?.scrollIntoView({ behavior: "instant", block: "start" });
  };
  addEventListener("hashchange", land);
  land();
  if ("IntersectionObserver" in window) {
    const links = new Map(all(".chapters a").map((link) => [link.hash.slice(1), link]));
    const seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) if (isIntersecting) for (const [id, link] of links) mark(link, id === target.id);
      },
      { rootMargin: "-25% 0px -65% 0px" },
    );
    for (const id of links.keys()) seen.observe(document.getElementById(id));
  }
})();
