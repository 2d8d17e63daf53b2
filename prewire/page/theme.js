// Light, dark, or as the system says; kept in this browser.
const NAME = "prewire-theme";
export const THEMES = ["system", "light", "dark"];
const listeners = new Set();

export const theme = () => {
  const kept = localStorage.getItem(NAME);
  return THEMES.includes(kept) ? kept : "system";
};

export function setTheme(name) {
  localStorage.setItem(NAME, name);
  applyTheme();
}

export function applyTheme() {
  document.documentElement.dataset.theme = theme();
  for (const listener of [...listeners]) listener();
}

/** Told when colours change; what is drawn on a canvas has to be drawn again. */
export function listenTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);

/** A colour of the theme as canvases take it: colours({line: "--line"}) -> {line: "rgb(…)"}. */
export function colours(names) {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const found = {};
  for (const [name, variable] of Object.entries(names)) {
    probe.style.color = `var(${variable})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
