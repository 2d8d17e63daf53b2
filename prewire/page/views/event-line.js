// One event as a line of a list.
import { html } from "../vendor/htm-preact.js";
import { to } from "../route.js";

const PLACES = {
  service: "services", container: "services", scaling: "services", health: "services", prewarm: "services",
  policy: "policies", rate: "policies", provisioning: "policies",
};

/** What an event is about, as a link where the page shows that. */
export function About({ event }) {
  const place = event.kind === "plan" ? null : PLACES[event.kind];
  const name = event.name.split("/")[0];
  if (event.kind === "switch" || event.kind === "link") return html`<a href=${to("topology")}>${event.name}</a>`;
  return place ? html`<a href=${to(place, name)}>${event.name}</a>` : event.name;
}

export const EventLine = ({ event, when }) => html`<li>
  <span class="dot ${event.severity === "warning" ? "warn" : ""}" title=${event.severity}></span>
  <span class="grow"><span class="muted">${event.kind}</span> <${About} event=${event} /> ${event.action}
    ${event.reason && html`<span class="muted">: ${event.reason}</span>`}</span>
  <span class="muted nowrap">${when}</span>
</li>`;
