"use strict";
// Tables of class `sortable`: a click on a heading sorts by that column, a second one the other way. Empty values go last.
for (const table of document.querySelectorAll("table.sortable")) {
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const compare = (one, other) => (isNaN(one) || isNaN(other) ? one.localeCompare(other) : one - other);
  table.querySelectorAll("th button").forEach((button, column) => {
    button.addEventListener("click", () => {
      const heading = button.parentElement;
      const sign = heading.getAttribute("aria-sort") === "descending" ? 1 : -1;
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      const full = rows.filter((row) => value(row, column) !== "");
      full.sort((one, other) => sign * compare(value(one, column), value(other, column)));
      table.tBodies[0].append(...full, ...rows.filter((row) => value(row, column) === ""));
    });
  });
}
