// Lists of images: copy the ids, or write a CSV file with the name of every file. All from the page itself.
(() => {
  "use strict";
  const box = document.getElementById("lists");
  if (!box || typeof DecompressionStream === "undefined") return;
  let loaded = null;
  const unpack = () => {
    const bytes = Uint8Array.from(atob(box.textContent.trim()), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };
  const load = () => (loaded ??= unpack());
  // a spreadsheet runs what begins like a formula, also behind spaces and in full width
  const cell = (value) => {
    const text = String(value ?? "");
    const safe = typeof value === "string" && /^ *[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const table = (data, { places, columns }) => {
    const names = ["rank", "image", "file", "split", "label", "group"];
    if (data.known_wrong) names.push("known_wrong");
    const rows = places.map((place, i) => {
      const row = [i + 1, data.image[place], data.file[place], data.split[place]];
      row.push(data.classes[data.label[place]], data.groups[data.group[place]]);
      if (data.known_wrong) row.push(Boolean(data.known_wrong[place]));
      for (const [name, cells] of Object.entries(columns))
        row.push(data.of_class.includes(name) && cells[i] !== null ? data.classes[cells[i]] : cells[i]);
      return row;
    });
    return [names.concat(Object.keys(columns)), ...rows];
  };
  const csv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  const save = (text, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  // pages opened from a disk may have no clipboard: then what is selected in a field is copied
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  };
  const act = {
    copy: async (data, key) => {
      const ids = [...new Set(data.lists[key].places.map((place) => data.image[place]))];
      return (await copy(ids.join("\n"))) ? `${ids.length} ids copied` : "This browser let nothing be copied.";
    },
    csv: async (data, key) => {
      const rows = table(data, data.lists[key]);
      save(csv(rows), `${box.dataset.name}_${key}.csv`);
      return `${rows.length - 1} rows written`;
    },
  };
  for (const tools of document.querySelectorAll(".list-tools")) {
    tools.hidden = false;
    tools.addEventListener("click", async (event) => {
      const button = event.target.closest("button[data-do]");
      if (!button) return;
      tools.querySelector("output").textContent = await act[button.dataset.do](await load(), tools.dataset.list);
    });
  }
  for (const note of document.querySelectorAll(".list-note")) note.hidden = true;
  window.auditLists = { load, table, csv, copy, save };
})();
