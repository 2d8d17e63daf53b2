// A table that can be sorted by its columns; the first cell of a row names it.
import { html, useState } from "../vendor/htm-preact.js";
import { byText } from "../data/hooks.js";

/** columns: {id, label, cell(row), sort?(row), n?, text?}; n: numbers, to the right. sorted: the id
 * of the column to begin with, "-id" for descending. most: rows that are shown at first. */
export function Table({ label, columns, rows, keyOf, sorted, tall, most = 500 }) {
  const [order, setOrder] = useState(sorted || columns[0].id);
  const [all, setAll] = useState(false);
  const id = order.replace(/^-/, "");
  const descending = order.startsWith("-");
  const by = columns.find((column) => column.id === id)?.sort; // none: rows are in order
  const ordered = by ? [...rows].sort((a, b) => compare(by(a), by(b), descending)) : rows;
  const shown = all ? ordered : ordered.slice(0, most);
  const turn = (column) => setOrder(id === column.id && !descending ? `-${column.id}` : column.id);
  return html`
    <div class="scroll ${tall ? "tall" : ""}" tabindex="0" role="region" aria-label=${label}>
      <table>
        <thead><tr>${columns.map((column) => heading(column, id, descending, turn))}</tr></thead>
        <tbody>
          ${shown.map(
            (row) => html`<tr key=${keyOf(row)}>
              ${columns.map((column, place) => cell(column, row, place === 0))}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${shown.length < ordered.length &&
    html`<div class="inside"><button type="button" class="plain" onClick=${() => setAll(true)}>
      Show all ${ordered.length}</button></div>`}`;
}

function heading(column, id, descending, turn) {
  const state = column.id === id ? (descending ? "descending" : "ascending") : undefined;
  return html`<th scope="col" class=${column.n ? "n" : ""} aria-sort=${column.sort && state}>
    ${column.sort
      ? html`<button type="button" onClick=${() => turn(column)}>${column.label}</button>`
      : column.label}
  </th>`;
}

function cell(column, row, first) {
  const style = `${column.n ? "n" : ""} ${column.text ? "text" : ""}`;
  if (first) return html`<th scope="row" class=${style}>${column.cell(row)}</th>`;
  return html`<td class=${style}>${column.cell(row)}</td>`;
}

/** What is not known comes last, however it is sorted. */
function compare(a, b, descending) {
  const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
  if (noA || noB) return noA - noB;
  const found = typeof a === "string" ? byText(a, b) : a - b;
  return descending ? -found : found;
}
