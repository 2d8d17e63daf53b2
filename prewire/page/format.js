// Numbers and times in words. A value that is not known is "–".
const UNKNOWN = "–";
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

/** 3 digits and a decimal prefix: 12300 -> "12.3 k". */
function prefixed(value) {
  for (const [size, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= size * 0.9995) return `${digits(value / size)} ${letter}`;
  }
  return `${digits(value)} `;
}

function digits(value) {
  const size = Math.abs(value);
  if (size >= 99.95 || value === 0) return value.toFixed(0);
  return String(Number(value.toFixed(size >= 9.995 ? 1 : 2)));
}

export const bps = (value) => (known(value) ? `${prefixed(value)}bit/s` : UNKNOWN);
export const perSecond = (value) => (known(value) ? `${prefixed(value).trimEnd()}/s` : UNKNOWN);
export const count = (value) => (known(value) ? value.toLocaleString("en") : UNKNOWN);
export const number = (value) => (known(value) ? prefixed(value).trim() : UNKNOWN);
export const percent = (part, whole = 1) =>
  known(part) && known(whole) && whole > 0 ? `${digits((100 * part) / whole)} %` : UNKNOWN;

/** A length of time: 90_000 -> "1 min 30 s". */
export function duration(ms) {
  if (!known(ms)) return UNKNOWN;
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** "12 s ago", or "in 12 s". */
export function ago(at, now) {
  if (!known(at) || at === 0) return UNKNOWN;
  if (at > now + 10_000) return `in ${duration(at - now)}`;
  return now - at < 1000 ? "now" : `${duration(now - at)} ago`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
/** The time of day; with the date where it is another day. */
export function clock(at, now = Date.now()) {
  if (!known(at) || at === 0) return UNKNOWN;
  const same = new Date(at).toDateString() === new Date(now).toDateString();
  return (same ? CLOCK : DAY).format(at);
}
