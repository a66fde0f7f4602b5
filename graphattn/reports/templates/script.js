"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const order = (row, column) => row.cells[column].dataset.order;
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const numbers = head.classList.contains("number") || [...body.rows].every((row) => !isNaN(order(row, column)));
    const first = numbers ? "descending" : "ascending";
    const second = numbers ? "ascending" : "descending";
    const way = head.getAttribute("aria-sort") === first ? second : first;
    const sign = way === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      const [x, y] = [order(a, column), order(b, column)];
      // What is unknown stands last either way.
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (numbers ? x - y : x.localeCompare(y));
    };
    heads.forEach((each) => each.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", way);
    body.append(...[...body.rows].sort(compare));
  }));
}
// On paper nothing can be opened.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((each) => { each.open = true; });
});
addEventListener("afterprint", () => opened.forEach((each) => { each.open = false; }));
