// Server-sent events out of a fetch body: unlike EventSource, fetch can send a token.

/** Yields {event, data, id} of each frame, and {event: "heartbeat"} for comments. */
export async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split(/\r?\n\r?\n/);
      rest = parts.pop();
      for (const text of parts) yield frame(text);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function frame(text) {
  const found = { event: "heartbeat", data: "", id: "" };
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") found.data += (found.data && "\n") + value;
    else if (name === "event" || name === "id") found[name] = value;
  }
  return found;
}
