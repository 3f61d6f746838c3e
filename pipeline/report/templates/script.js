(() => {
  "use strict";
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
  for (const header of document.querySelectorAll("table.sortable th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortBy(header));
  }
  for (const filter of document.querySelectorAll("fieldset.filter")) filter.hidden = false;
  for (const box of document.querySelectorAll("[data-filter]")) {
    box.checked = true;
    box.addEventListener("change", () => {
      for (const part of document.querySelectorAll("[data-method]"))
        if (part.dataset.method === box.dataset.filter) part.classList.toggle("off", !box.checked);
    });
  }
})();
