import htm from "./vendor/htm.js";
import { h } from "./vendor/preact.js";

/** Markup in template strings: JSX without a build. */
export const html = htm.bind(h);
