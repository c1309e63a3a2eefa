"use strict";
// Tables of the page: sorted by a click on a heading, filtered where long, handed over as CSV.
(() => {
  const words = document.getElementById("content").dataset;
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  // what some spreadsheet takes for a formula, at the start of a cell or after another separator
  const formula = /(^|[;,\t\r\n|"'])(\s*)(?=[=+\-@\t\r\n＝＋－＠])/g;
  const quoted = text => '"' + text.replace(formula, "$1'$2").replaceAll('"', '""') + '"';
  const made = (tag, more) => Object.assign(document.createElement(tag), more);
  const order = new Intl.Collator(undefined, { numeric: true });
  const unbroken = cell => cell.textContent.replaceAll("\u200b", "").trim();

  const csv = (heads, rows) => {
    const files = heads.map(head => (head.dataset.file ?? head.dataset.title).split("|"));
    const fields = (cell, n) => {
      if (n === 2) return [cell.dataset.v ?? "", cell.dataset.w ?? ""];
      if (!cell.classList.contains("n")) return [quoted(unbroken(cell))];
      return [cell.dataset.v ?? (/\d/.test(unbroken(cell)) ? quoted(unbroken(cell)) : "")];
    };
    const lines = rows.map(row => [...row.cells].flatMap((cell, i) => fields(cell, files[i].length)));
    return [files.flat().map(quoted), ...lines].map(line => line.join(",") + "\n").join("");
  };

  const save = (name, text) => {
    const link = made("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows].filter(row => !row.classList.contains("more"));
    const last = [...body.rows].filter(row => row.classList.contains("more"));
    const number = new Map(rows.map((row, i) => [row, i]));
    const key = (row, i) => row.cells[i].dataset.v === undefined ? unbroken(row.cells[i]) : Number(row.cells[i].dataset.v);
    heads.forEach((head, i) => {
      head.dataset.title = unbroken(head);
      for (const row of rows) row.cells[i].dataset.label = head.dataset.title;
      if (rows.length < 2) return;
      const button = made("button", { type: "button", className: "sort" });
      button.append(...head.childNodes);
      button.title = fill(words.sort, { heading: head.dataset.title });
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("n");
        const now = head.getAttribute("aria-sort");
        const to = now === null ? (numeric ? "descending" : "ascending") : now === "ascending" ? "descending" : "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", to);
        const sign = to === "ascending" ? 1 : -1;
        body.append(...rows.sort((a, b) => {
          const x = key(a, i), y = key(b, i);
          if (numeric && typeof x !== typeof y) return typeof x === "number" ? -1 : 1; // without a number: last
          const by = typeof x === "number" ? x - y : order.compare(x, y);
          return sign * by || number.get(a) - number.get(b);
        }), ...last);
      });
    });
    const tools = made("div", { className: "tools" });
    if (rows.length > 12) {
      const field = made("input", { type: "search", placeholder: words.filter });
      const told = made("output");
      field.setAttribute("aria-label", words.filter);
      field.addEventListener("input", () => {
        const wanted = field.value.toLowerCase();
        for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
        told.textContent = fill(words.rows, { n: rows.filter(row => !row.hidden).length, all: rows.length });
      });
      tools.append(field, told);
    }
    const button = made("button", { type: "button", textContent: words.download });
    const title = table.caption ? unbroken(table.caption) : document.title;
    button.addEventListener("click", () => {
      const name = title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) || "table";
      save(name + ".csv", csv(heads, rows.filter(row => !row.hidden)));
    });
    tools.append(button);
    table.parentElement.before(tools);
  }
})();
