// Where the reader is: the fragment, as in #/services/web?step=1.
import { useEffect, useState } from "./vendor/htm-preact.js";

/** {parts, query} of the address. */
export function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decoded);
  return { parts, query: new URLSearchParams(query || "") };
}

/** A link to a place of the page: to("services", "web"), to("explain", {packet}). */
export function to(...parts) {
  const query = typeof parts.at(-1) === "object" ? new URLSearchParams(parts.pop()) : "";
  const path = parts.map(encodeURIComponent).join("/");
  return `#/${path}${query && String(query) ? `?${query}` : ""}`;
}

/** Change the query of this place without a step in the history. */
export function setQuery(values) {
  const { parts, query } = route();
  for (const [name, value] of Object.entries(values)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  history.replaceState(null, "", to(...parts, Object.fromEntries(query)));
}

export function useRoute() {
  const [found, setFound] = useState(route);
  useEffect(() => {
    const moved = () => {
      if (location.hash === "#main") return; // the skip link
      setFound(route());
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return found;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
