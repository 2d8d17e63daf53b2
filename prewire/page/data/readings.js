// Rates of services, links and policies, asked every two seconds while somebody looks, and a short
// history of each for sparklines.
import { ask } from "./rest.js";

const EVERY_MS = 2000;
const KEPT = 60; // readings of history: two minutes
const NOTHING = { at_ms: 0, stale: true, failure: "", services: [], links: [], policies: [] };

const KEYS = {
  services: (row) => row.service,
  links: (row) => `${row.switch}/${row.port}`,
  policies: (row) => row.policy,
  containers: (row) => row.container,
};
const FOLLOWED = {
  services: (row) => row.new_connections_per_s,
  links: (row) => row.transmit_bps,
  policies: (row) => row.passed_bps,
};

export class Readings {
  last = NOTHING;
  problem = null;
  silent = false; // nobody may ask
  #by = new Map();
  #history = new Map();
  #listeners = new Set();
  #timer = 0;
  #containersOf = "";
  #asking = false;

  start() {
    this.#next(0);
  }

  now() {
    this.#next(0);
  }

  /** Ask for the containers of this service too; "" for none. */
  of(service) {
    this.#containersOf = service;
    if (service) this.now();
  }

  /** The row of one object, as in get("services", "web"); or undefined. */
  get(kind, key) {
    return this.#by.get(kind)?.get(key);
  }

  /** Its last values, the oldest first; null where not known. */
  history(kind, key) {
    return this.#history.get(kind)?.get(key) || [];
  }

  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #next(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), wait);
  }

  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    if (!document.hidden && !this.silent) await this.#read();
    this.#asking = false;
    this.#next(EVERY_MS);
  }

  async #read() {
    const service = this.#containersOf;
    const kinds = ["services", "links", "policies"].concat(service ? ["containers"] : []);
    try {
      this.#take(await ask("v1/readings", { kinds: kinds.join(","), fabric: "true" }), service);
      this.problem = null;
    } catch (problem) {
      this.problem = problem;
      this.last = { ...this.last, stale: true };
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #take(told, service) {
    const newer = told.at_ms !== this.last.at_ms;
    this.last = told;
    for (const [kind, keyOf] of Object.entries(KEYS)) {
      let rows = told[kind] || [];
      if (kind === "containers") rows = rows.filter((row) => row.service === service);
      this.#by.set(kind, new Map(rows.map((row) => [keyOf(row), row])));
    }
    if (newer) for (const kind of Object.keys(FOLLOWED)) this.#remember(kind);
  }

  #remember(kind) {
    const past = this.#history.get(kind) || new Map();
    const next = new Map();
    for (const [key, row] of this.#by.get(kind)) {
      const values = past.get(key) || [];
      values.push(FOLLOWED[kind](row));
      if (values.length > KEPT) values.shift();
      next.set(key, values);
    }
    this.#history.set(kind, next);
  }
}
