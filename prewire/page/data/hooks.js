// What views are given of the data: values that change by themselves.
import { useEffect, useReducer, useState } from "../vendor/htm-preact.js";
import { connection, followContainers, listenConnection, readings, store } from "./live.js";
import { ask } from "./rest.js";

function useTold(listen, dependencies) {
  const [, again] = useReducer((count) => count + 1, 0);
  useEffect(() => listen(again), dependencies);
}

/** All objects of a kind by key. */
export function useKind(kind) {
  useTold((again) => store.listen((changed) => changed.has(kind) && again()), [kind]);
  return store.kind(kind);
}

/** All objects of a kind, ordered by key. */
export function useList(kind) {
  const all = useKind(kind);
  return [...all.keys()].sort(byText).map((key) => all.get(key));
}

export const byText = (a, b) => a.localeCompare(b, "en", { numeric: true });

export function useConnection() {
  useTold(listenConnection, []);
  return connection();
}

export function useReadings() {
  useTold((again) => readings.listen(again), []);
  return readings;
}

/** The containers of a service, live; readings of them are asked for too. */
export function useContainers(service) {
  const [held, setHeld] = useState(null);
  const [state, setState] = useState({ phase: "connecting" });
  useTold((again) => (held ? held.listen(again) : () => {}), [held]);
  useEffect(() => {
    const followed = followContainers(service, setState);
    setHeld(followed.store);
    readings.of(service);
    return () => (followed.close(), readings.of(""));
  }, [service]);
  const all = held ? [...held.kind("containers").values()] : [];
  return { containers: all.sort((a, b) => byText(a.id, b.id)), state };
}

/** What a path answers, asked again every so often (0: once) and where `version` changes. */
export function useAsked(path, query = {}, everyMs = 0, version = "") {
  const [held, setHeld] = useState({ answer: null, problem: null, of: "" });
  const wanted = path + JSON.stringify(query);
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    let timer = 0;
    const read = async () => {
      if (!document.hidden) {
        try {
          const answer = await ask(path, query, stop.signal);
          setHeld({ answer, problem: null, of: wanted });
        } catch (problem) {
          if (stop.signal.aborted) return;
          setHeld((was) => ({ ...was, problem, of: wanted }));
        }
      }
      if (everyMs && !stop.signal.aborted) timer = setTimeout(read, everyMs);
    };
    read();
    return () => (clearTimeout(timer), stop.abort());
  }, [wanted, everyMs, version]);
  const current = held.of === wanted;
  return { answer: current ? held.answer : null, problem: current ? held.problem : null };
}

/** The time, milliseconds since 1970, told again every so often. */
export function useNow(everyMs = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
