// The gallery of listed images: tick some, copy their ids, write them as a CSV file.
(() => {
  "use strict";
  const tools = document.querySelector(".ticks");
  const { csv, copy, save } = window.auditLists ?? {};
  if (!tools || !csv) return;
  const cards = [...document.querySelectorAll("#gallery-pictures > .shot")];
  const box = (card) => card.querySelector(".tick input");
  const ticked = () => cards.filter((card) => box(card).checked);
  const say = (text) => (tools.querySelector("output").textContent = text);
  const tell = () => say(`${ticked().length} ticked`);
  const act = {
    tick: () => cards.filter((card) => !card.classList.contains("off")).forEach((card) => (box(card).checked = true)),
    untick: () => cards.forEach((card) => (box(card).checked = false)),
    copy: async () => {
      const ids = ticked().map((card) => card.dataset.id);
      if (!ids.length) return "Nothing is ticked.";
      return (await copy(ids.join("\n"))) ? `${ids.length} ids copied` : "This browser let nothing be copied.";
    },
    csv: () => {
      // the same columns as in the lists' files, and the words that the cards have
      const known = cards.some(({ dataset }) => dataset.knownWrong) ? ["known_wrong"] : [];
      const rows = ticked().map((card) => {
        const { id, file, split, label, groupName, knownWrong } = card.dataset;
        const lists = [...card.querySelectorAll("figcaption .tag")].map((tag) => tag.textContent).join("; ");
        return [Number(id), file, split, label, groupName, ...known.map(() => knownWrong), lists];
      });
      if (!rows.length) return "Nothing is ticked.";
      save(csv([["image", "file", "split", "label", "group", ...known, "lists"], ...rows]), "ticked_images.csv");
      return `${rows.length} rows written`;
    },
  };
  tools.hidden = false;
  for (const card of cards) {
    card.querySelector(".tick").hidden = false;
    box(card).addEventListener("change", tell);
  }
  tools.addEventListener("click", async (event) => {
    const name = event.target.closest("button[data-do]")?.dataset.do;
    if (!name) return;
    const told = await act[name]();
    if (typeof told === "string") say(told);
    else tell();
  });
})();
