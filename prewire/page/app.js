// The frame: bar, notices, and the view that the address names. Views load when they are needed.
import { h, html, useEffect, useState } from "./vendor/htm-preact.js";
import { clock, duration } from "./format.js";
import { signIn, tryNow } from "./data/live.js";
import { useConnection, useKind, useNow, useReadings } from "./data/hooks.js";
import { to, useRoute } from "./route.js";
import { setTheme, theme, THEMES } from "./theme.js";
import { Empty, Trouble } from "./ui/parts.js";
import { Overview } from "./views/overview.js";

const loaded = { "": Overview };
const VIEWS = {
  "": ["Overview"],
  topology: ["Topology", () => import("./views/topology.js")],
  services: ["Services", () => import("./views/services.js")],
  policies: ["Policies", () => import("./views/policies.js")],
  plans: ["Plans", () => import("./views/plans.js")],
  dependencies: ["Dependencies", () => import("./views/dependencies.js")],
  events: ["Events", () => import("./views/events.js")],
  explain: ["Explain", () => import("./views/explain.js")],
};

export function App() {
  const { parts, query } = useRoute();
  const [name = "", ...rest] = parts;
  const known = Object.hasOwn(VIEWS, name);
  useEffect(() => {
    document.title = [...rest, known ? VIEWS[name][0] : "", "prewire"].filter(Boolean).join(" · ");
  }, [parts.join("/")]);
  return html`
    <${Bar} current=${name} />
    <${Notices} />
    <main id="main" tabindex="-1">
      ${known
        ? html`<${View} key=${name} name=${name} parts=${rest} query=${query} />`
        : html`<${Empty}>There is no page “${name}”. <a href=${to()}>Go to the overview</a>.<//>`}
    </main>`;
}

function View({ name, parts, query }) {
  const [, again] = useState(0);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    if (loaded[name]) return;
    VIEWS[name][1]().then(
      (module) => ((loaded[name] = module.View), again((count) => count + 1)),
      () => setProblem({ title: "This part of the page could not be loaded", remedy: "reload the page" }),
    );
  }, [name]);
  const connection = useConnection();
  const status = useKind("status");
  if (connection.phase === "refused") return html`<${SignIn} problem=${connection.problem} />`;
  if (problem) return html`<${Trouble} problem=${problem} />`;
  if (!loaded[name] || !(connection.heardAt || status.size)) return html`<p class="starting">Loading…</p>`;
  return h(loaded[name], { parts, query });
}

const Bar = ({ current }) => html`
  <header class="bar">
    <a class="brand" href=${to()}><img src="page/icon.svg" alt="" />prewire</a>
    <nav aria-label="Views">
      <ul>
        ${Object.entries(VIEWS).map(
          ([name, [title]]) => html`<li>
            <a href=${to(...(name ? [name] : []))} aria-current=${name === current ? "page" : undefined}>${title}</a>
          </li>`,
        )}
      </ul>
    </nav>
    <div class="side"><${Live} /><${ThemeSwitch} /></div>
  </header>`;

function Live() {
  const { phase } = useConnection();
  const readings = useReadings();
  const words = { connecting: ["", "Connecting"], live: ["ok", "Live"], lost: ["bad", "Offline"], refused: ["warn", "Signed out"] };
  const [tone, text] = phase === "live" && readings.last.stale ? ["warn", "Live, no readings"] : words[phase];
  return html`<span class="live" role="status"><span class="dot ${tone}"></span>${text}</span>`;
}

function ThemeSwitch() {
  const [now, setNow] = useState(theme);
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  const text = `Colours: ${now === "system" ? "as the system" : now}. Change to ${next}.`;
  return html`<button type="button" class="theme" aria-label=${text} title=${text}
    onClick=${() => (setTheme(next), setNow(next))}>
    <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
      <circle cx="9" cy="9" r="6.5" fill="none" stroke="currentColor" stroke-width="1.5" />
      ${now === "system" && html`<path d="M9 2.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />`}
      ${now === "dark" && html`<circle cx="9" cy="9" r="6.5" fill="currentColor" />`}
    </svg>
  </button>`;
}

function Notices() {
  const connection = useConnection();
  const readings = useReadings();
  if (connection.phase === "lost") return html`<${Lost} connection=${connection} />`;
  if (connection.phase !== "live") return null;
  if (readings.problem) return html`<${Trouble} tone="warn" problem=${readings.problem} />`;
  if (!readings.last.stale || !readings.last.failure) return null;
  const at = readings.last.at_ms;
  return html`<div class="notice warn" role="status">
    <b>Rates are ${at ? `as of ${clock(at)}` : "not known"}.</b>
    <span>${readings.last.failure}</span>
  </div>`;
}

function Lost({ connection }) {
  const now = useNow(1000);
  const wait = Math.max(0, connection.retryAt - now);
  return html`<div class="notice bad" role="alert">
    <b>${connection.problem.title}.</b>
    <span>${connection.problem.detail}${connection.problem.remedy && `; ${connection.problem.remedy}`}.</span>
    ${connection.heardAt > 0 && html`<span>What is shown is as of ${clock(connection.heardAt)}.</span>`}
    <span>${wait > 0 ? `Trying again in ${duration(wait + 999)}.` : "Trying…"}</span>
    <button type="button" class="plain" onClick=${tryNow}>Try now</button>
  </div>`;
}

function SignIn({ problem }) {
  const [secret, setSecret] = useState("");
  const enter = (event) => (event.preventDefault(), signIn(secret.trim()));
  return html`
    <section class="panel signin">
      <header><h1>Sign in</h1></header>
      <div class="inside">
        <p class="muted">The server wants a token with the role viewer or more. ${" "}
          <code>prewire up</code> prints a link that has one; an operator makes others with ${" "}
          <code>prewire token create NAME --role viewer</code>.</p>
        <form onSubmit=${enter} class="fields">
          <label>Token<input type="password" autocomplete="off" required value=${secret}
            onInput=${(event) => setSecret(event.target.value)} /></label>
          <button class="main">Sign in</button>
        </form>
        ${problem && html`<p class="bad-text" role="alert">${problem.detail}. ${problem.remedy}</p>`}
      </div>
    </section>`;
}
