// Requests to REST: answers as objects, failures as Problem (RFC 9457).
import { authorization } from "./access.js";

/** Why a request failed, in words for people, and what to do about it. */
export class Problem extends Error {
  constructor({ title, detail = "", remedy = "", field = "", status = 0 }) {
    super(detail || title);
    Object.assign(this, { title, detail, remedy, field, status });
  }
}

const ADDRESS = new URL("./", document.baseURI);

/** The address of a path as in "v1/services"; query: values by name, empty ones left out. */
export function address(path, query = {}) {
  const url = new URL(path, ADDRESS);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/** GET, as JSON. Problem where it fails; AbortError where the signal says so. */
export async function ask(path, query = {}, signal = undefined) {
  const answer = await open(address(path, query), {}, signal);
  return answer.json();
}

/** GET an answer that is a success, its body not yet read. */
export async function open(url, headers = {}, signal = undefined) {
  let answer;
  try {
    answer = await fetch(url, { headers: { ...authorization(), ...headers }, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      title: "The REST server does not answer",
      detail: `${url.pathname} could not be reached`,
      remedy: "see that `prewire api` runs and that this machine reaches it",
    });
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

async function problemOf(answer) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    // whatever stands between here and the server answered instead of it
  }
  return new Problem({
    title: body.title || `The server answered ${answer.status}`,
    detail: body.detail || answer.statusText,
    remedy: body.remedy || "",
    field: body.field || "",
    status: answer.status,
  });
}

/** A name as a part of a path. */
export const part = (name) => encodeURIComponent(name);
