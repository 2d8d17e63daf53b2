// All live data of the page: one stream of what is always wanted, one more for the containers of the
// service that is shown, and readings of the counters.
import { setToken } from "./access.js";
import { Feed } from "./feed.js";
import { Readings } from "./readings.js";
import { part } from "./rest.js";
import { Store } from "./store.js";

// `status` first: it is what the first view draws first.
const KINDS = [
  "status", "services", "switches", "links", "policies", "plans", "prewarm-requests", "predictors",
  "scalings", "schedules", "overrides", "dependencies", "classes", "events",
];
const MOST_EVENTS = 1000; // they are never deleted on the stream

export const store = new Store({ events: MOST_EVENTS });
export const readings = new Readings();
let feed = null;
let state = { phase: "connecting", heardAt: 0 };
const listeners = new Set();
const feeds = new Set();

export function start() {
  follow();
  readings.start();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    store.flush();
    feed?.now();
    readings.now();
  });
  // A page that is put aside (to come back by the back button) keeps no connection.
  addEventListener("pagehide", () => feeds.forEach((each) => each.pause()));
  addEventListener("pageshow", () => feeds.forEach((each) => each.resume()));
}

/** How the stream stands; see Feed. */
export const connection = () => state;

export function listenConnection(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tryNow() {
  feed?.now();
  readings.now();
}

/** Go on with another token, or none. */
export function signIn(secret) {
  setToken(secret);
  end(feed);
  say({ phase: "connecting" });
  follow();
  readings.now();
}

/** Follow the containers of a service, until the function that is returned is called. */
export function followContainers(service, said) {
  const own = new Store();
  const query = { watch: "true" };
  const one = begin(new Feed(own, `v1/services/${part(service)}/containers`, query, said));
  return { store: own, close: () => end(one) };
}

function follow() {
  feed = begin(new Feed(store, "v1/watch", { kinds: KINDS.join(",") }, say));
}

function begin(one) {
  feeds.add(one);
  one.run();
  return one;
}

function end(one) {
  feeds.delete(one);
  one.close();
}

function say(told) {
  readings.silent = told.phase === "refused";
  state = { ...told, heardAt: told.heardAt || state.heardAt };
  for (const listener of [...listeners]) listener(state);
}
