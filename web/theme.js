/** Light or dark: the system's choice, until the user chooses. */
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
    // Without storage the choice lasts until the page is reloaded.
  }
  document.documentElement.dataset.theme = next;
  dispatchEvent(new Event("themechange"));
}
