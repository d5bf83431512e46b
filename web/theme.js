/** Light or dark: as the system has it, until somebody chooses. */
const place = "croupier-theme";

const chosen = () => {
  try {
    return localStorage.getItem(place);
  } catch {
    return null;
  }
};

export function applyTheme() {
  const theme = chosen();
  if (theme === null) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export const isDark = () =>
  (chosen() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

export function switchTheme() {
  const next = isDark() ? "light" : "dark";
  try {
    localStorage.setItem(place, next);
  } catch {
    // A browser that keeps nothing: good until the page is loaded again.
  }
  document.documentElement.dataset.theme = next;
  dispatchEvent(new Event("themechange"));
}
