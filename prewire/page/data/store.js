// Objects by kind and key, as the server last told them. Listeners are told together, a few times a
// second at most, and not while nobody looks. Of kinds that only grow, the newest are kept.
const PACE_MS = 200;
const SOON_MS = 20; // after a while without changes

export class Store {
  #kinds = new Map();
  #staged = null;
  #listeners = new Set();
  #changed = new Set();
  #timer = 0;
  #told = -PACE_MS;
  #most;

  /** most: how many objects of a kind are kept, those whose keys sort last, as in {events: 1000};
   * they are put out once there are twice as many. */
  constructor(most = {}) {
    this.#most = most;
  }

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
    const objects = this.#target(kind);
    objects.set(key, object);
    if (objects.size > 2 * this.#most[kind]) shorten(objects, this.#most[kind]);
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

function shorten(objects, most) {
  const surplus = [...objects.keys()].sort().slice(0, objects.size - most);
  for (const key of surplus) objects.delete(key);
}
