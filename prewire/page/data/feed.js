// One watch stream that stays: it fills a store, notices silence, and comes back after a loss where
// it left off.
import { frames } from "./frames.js";
import { address, open, Problem } from "./rest.js";

const SILENCE_MS = 40_000; // the server sends a heartbeat every 15 s
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;

export class Feed {
  #store;
  #path;
  #query;
  #stop = new AbortController();
  #attempt = null;
  #retry = FIRST_RETRY_MS;
  #lastId = "";
  #wake = () => {};
  #paused = false;
  #begun;
  #live = false;
  #heardAt = 0;
  #said;

  /** said(state): how it stands, {phase, heardAt, problem, retryAt}; phase: connecting, live, lost or
   * refused (the server wants another token); heardAt: when something was last heard while it was
   * live, 0: never. Times are milliseconds since 1970. */
  constructor(store, path, query, said) {
    this.#begun = store.filled;
    this.#store = store;
    this.#path = path;
    this.#query = query;
    this.#said = said;
  }

  /** Until it is closed, or refused. */
  async run() {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#follow();
        this.#lost(new Problem({ title: "The stream ended", detail: "the server closed it" }));
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (this.#paused) {
          await new Promise((resolve) => (this.#wake = resolve));
          continue;
        }
        if (this.#lost(error instanceof Problem ? error : silence(error)) === "refused") return;
      }
      await this.#pause();
    }
  }

  /** End the connection while the page is put aside; `run` goes on from here. */
  pause() {
    this.#paused = true;
    this.#attempt?.abort();
  }

  resume() {
    this.#paused = false;
    this.#wake();
  }

  /** Try again now. */
  now() {
    this.#wake();
  }

  close() {
    this.#stop.abort();
    this.#attempt?.abort();
    this.#wake();
  }

  async #follow() {
    const attempt = (this.#attempt = new AbortController());
    this.#live = false;
    let timer = setTimeout(() => attempt.abort(), SILENCE_MS);
    try {
      const headers = this.#lastId ? { "Last-Event-ID": this.#lastId } : {};
      const answer = await open(address(this.#path, this.#query), headers, attempt.signal);
      if (!this.#lastId && this.#begun) this.#store.begin();
      this.#begun = true; // at first there is nothing that a snapshot could replace
      for await (const frame of frames(answer.body)) {
        clearTimeout(timer);
        timer = setTimeout(() => attempt.abort(), SILENCE_MS);
        if (frame.event === "bye") return;
        this.#take(frame);
        if (this.#live) this.#heardAt = Date.now();
      }
    } finally {
      clearTimeout(timer);
      attempt.abort();
    }
  }

  #take({ event, data, id }) {
    if (event === "heartbeat") return;
    const told = JSON.parse(data);
    if (event === "put") this.#store.put(told.kind, told.key, told.object);
    else if (event === "delete") this.#store.delete(told.kind, told.key);
    else if (event === "reset") this.#store.begin();
    else if (event === "ready") {
      this.#store.settle(told.kinds);
      this.#retry = FIRST_RETRY_MS;
      this.#live = true;
      this.#said({ phase: "live", heardAt: Date.now() });
    }
    if (id) this.#lastId = id;
  }

  #lost(problem) {
    const phase = problem.status === 401 || problem.status === 403 ? "refused" : "lost";
    const retryAt = Date.now() + this.#retry;
    this.#said({ phase, heardAt: this.#heardAt, problem, retryAt });
    return phase;
  }

  #pause() {
    const wait = this.#retry;
    this.#retry = Math.min(wait * 2, LAST_RETRY_MS);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}

function silence(error) {
  return new Problem({
    title: "The stream broke",
    detail: error.name === "AbortError" ? "nothing was heard for 40 s" : String(error.message),
    remedy: "it is opened again by itself",
  });
}
