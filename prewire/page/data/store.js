// Objects by kind and key, as the server last told them. Listeners are told together, a few times a
// second at most, and not while nobody looks.
const PACE_MS = 200;
const SOON_MS = 20; // after a while without changes

export class Store {
  #kinds = new Map();
  #staged = null;
  #listeners = new Set();
  #changed = new Set();
  #timer = 0;
  #told = -PACE_MS;

  /** All objects of a kind by key: read only, changed in place. */
  kind(name) {
    let found = this.#kinds.get(name);
    if (!found) this.#kinds.set(name, (found = new Map()));
    return found;
  }

  /** Whether there is anything. */
  get filled() {
    return [...this.#kinds.values()].some((each) => each.size > 0);
  }

  put(kind, key, object) {
    this.#target(kind).set(key, object);
    this.#tell(kind);
  }

  delete(kind, key) {
    this.#target(kind).delete(key);
    this.#tell(kind);
  }

  /** What follows is all there is: what is shown stays until `settle`. */
  begin() {
    this.#staged = new Map();
  }

  /** The snapshot is complete. */
  settle(kinds) {
    if (!this.#staged) return;
    for (const kind of kinds) {
      this.#kinds.set(kind, this.#staged.get(kind) || new Map());
      this.#tell(kind);
    }
    this.#staged = null;
  }

  /** Forget a kind: its objects are of something that is not shown any more. */
  forget(kind) {
    this.#kinds.delete(kind);
  }

  /** Call `listener(kinds)` after changes; returns what ends that. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tell what was held back while the page was hidden. */
  flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#changed.size) return;
    this.#told = performance.now();
    const changed = this.#changed;
    this.#changed = new Set();
    for (const listener of [...this.#listeners]) listener(changed);
  }

  #target(kind) {
    if (!this.#staged) return this.kind(kind);
    if (!this.#staged.has(kind)) this.#staged.set(kind, new Map());
    return this.#staged.get(kind);
  }

  #tell(kind) {
    this.#changed.add(kind);
    if (!this.#timer && !document.hidden) {
      const wait = this.#told + PACE_MS - performance.now();
      this.#timer = setTimeout(() => this.flush(), Math.max(SOON_MS, wait));
    }
  }
}
