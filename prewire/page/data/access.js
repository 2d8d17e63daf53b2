// The token that requests carry. It comes by the fragment (#token=...), which no server sees, and
// is kept for this tab only.
const NAME = "prewire-token";

/** Take a token out of the address, so that it stays in no history entry; the token, or "". */
export function takeToken() {
  const given = new URLSearchParams(location.hash.replace(/^#\/?/, "")).get("token");
  if (given === null) return "";
  if (given) sessionStorage.setItem(NAME, given);
  history.replaceState(null, "", `${location.pathname}${location.search}#/`);
  return given;
}

export const token = () => sessionStorage.getItem(NAME) || "";

export function setToken(value) {
  if (value) sessionStorage.setItem(NAME, value);
  else sessionStorage.removeItem(NAME);
}

export function authorization() {
  const secret = token();
  return secret ? { Authorization: `Bearer ${secret}` } : {};
}
