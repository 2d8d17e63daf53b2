// Starts the page: token, theme, data, then the application.
import { h, render } from "./vendor/htm-preact.js";
import { App } from "./app.js";
import { takeToken } from "./data/access.js";
import { signIn, start } from "./data/live.js";
import { applyTheme } from "./theme.js";

takeToken();
// The link may be followed where the page is open already; the router then hears of no token.
addEventListener("hashchange", () => {
  const given = takeToken();
  if (given) signIn(given);
});
applyTheme();
start();
const root = document.getElementById("app");
root.replaceChildren();
render(h(App), root);

// The fragment is the route, so the skip link must not change it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
