// What an operator should look at, from what is there: a pure list.
import { clock, duration } from "../format.js";
import { to } from "../route.js";

/** [{tone, about, href, text}], the gravest first. data: status, services, policies, plans, links
 * and switches as the server tells them. */
export function attention(data, now) {
  const found = [
    ...ofController(data),
    ...data.switches.flatMap(ofSwitch),
    ...data.links.filter((link) => link.problem).map(ofLink),
    ...data.services.flatMap((service) => ofService(service, now)),
    ...data.policies.filter((policy) => policy.state !== "active").map(ofPolicy),
    ...data.plans.filter((plan) => plan.stale && plan.valid !== false).map(ofStale),
  ];
  const order = { bad: 0, warn: 1, "": 2 };
  return found.sort((a, b) => order[a.tone] - order[b.tone]);
}

function ofController({ status }) {
  if (!status || status.leader) return [];
  const text = "no controller leads: changes wait. Start `prewire controller`.";
  return [{ tone: "bad", about: "controller", href: to("events"), text }];
}

function ofSwitch(one) {
  const about = one.name || one.dpid;
  const href = to("topology", { switch: one.dpid });
  if (!one.connected) return [{ tone: "bad", about, href, text: "is not connected" }];
  return one.problem ? [{ tone: "bad", about, href, text: one.problem }] : [];
}

function ofLink(link) {
  const about = `${link.switch_name} ${link.port} – ${link.peer_name} ${link.peer_port}`;
  const href = to("topology", { link: `${link.switch}/${link.port}` });
  return { tone: "bad", about, href, text: link.problem };
}

function ofService(service, now) {
  const found = [];
  const say = (tone, text) => found.push({ tone, about: service.name, href: to("services", service.name), text });
  if (service.demand) say("bad", `was wanted without a container at ${clock(service.demand.at_ms, now)}`);
  else if (service.panic) say("bad", "too few containers are usable: checks are not heeded");
  const states = service.states || {};
  if (states.down) say("warn", `${containers(states.down)} down`);
  if (states.ejected) say("warn", `${containers(states.ejected)} left out: connections fail`);
  if (states.unplaced) say("warn", `${containers(states.unplaced)} at a port that no switch reports`);
  return found;
}

const containers = (count) => `${count} container${count === 1 ? "" : "s"}`;

function ofPolicy(policy) {
  const tone = policy.state === "short" ? "bad" : "";
  return { tone, about: policy.name, href: to("policies", policy.name), text: policy.reason || policy.state };
}

function ofStale(plan) {
  const name = plan.service || plan.policy;
  const href = to(plan.service ? "services" : "policies", name);
  return { tone: "warn", about: name, href, text: "the plan is an old one: metrics are missing" };
}

/** How long a plan holds, in words. */
export const holds = (until, now) => (until > now ? `for ${duration(until - now)} more` : "no longer");
