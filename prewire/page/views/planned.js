// What is planned for a service: the plan, an override, and prewarm requests.
import { html } from "../vendor/htm-preact.js";
import { useKind, useList, useNow } from "../data/hooks.js";
import { clock, duration } from "../format.js";
import { to } from "../route.js";
import { Badge, Empty, Facts, Panel, Source } from "../ui/parts.js";
import { holds } from "./attention.js";

const TONES = { ready: "ok", expired: "bad", requested: "accent", accepted: "accent" };
export const RequestState = ({ request }) => html`<${Badge} tone=${TONES[request.state]}>${request.state}<//>`;

export function Planned({ service, plan, scaling }) {
  const now = useNow(1000);
  const override = useKind("overrides").get(`service/${service}`);
  const requests = useList("prewarm-requests").filter((each) => each.service === service);
  requests.sort((a, b) => b.requested_ms - a.requested_ms);
  if (!scaling && !plan) {
    return html`<${Panel} title="Plan and prewarm">
      <${Empty} command=${`prewire scaling set ${service} --concurrency 4 --max 20`}>It has no scaling, so nobody plans for it. To plan ahead of its load:<//>
    <//>`;
  }
  return html`<${Panel} title="Plan and prewarm" tools=${html`<a href=${to("plans")}>All plans</a>`}>
    <${Facts} rows=${[
      ["Containers", plan ? html`<b>${plan.containers}</b> planned, ${plan.ready} ready` : "nothing is planned yet"],
      ["By", plan ? html`<${Source} source=${plan.source} /> ${plan.stale && html`<${Badge} tone="warn">stale<//>`}` : undefined],
      ["Because", plan?.reason || undefined],
      ["Holds", plan ? holds(plan.until_ms, now) : undefined],
      ["Scaling", scaling ? `${scaling.mode}: ${scaling.concurrency} at ${scaling.target_percent} %, ${scaling.min_containers} to ${scaling.max_containers}` : "none any more"],
      ["Override", override && override.until_ms > now ? `${override.containers} for ${duration(override.until_ms - now)}: ${override.reason}` : undefined],
    ]} />
    <h3 class="part">Prewarm requests</h3>
    ${requests.length === 0 && html`<p class="empty">None: what is planned was there in time.</p>`}
    <ul class="list">${requests.slice(0, 5).map(
      (each) => html`<li><span class="grow">${each.missing} more at ${clock(each.requested_ms, now)}
        <span class="muted"> ${took(each)}</span></span><${RequestState} request=${each} /></li>`,
    )}</ul>
  <//>`;
}

/** How it went, in words. */
export function took(request) {
  if (request.ended_ms === null) return `needed ${clock(request.needed_ms)}`;
  const time = duration(request.ended_ms - request.requested_ms);
  return request.state === "ready" ? `in ${time}${request.in_time === false ? ", late" : ""}` : `after ${time}`;
}
