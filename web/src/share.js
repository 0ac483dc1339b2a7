/** Out of the page and back in: the clipboard, a file, and a link that holds the text. */
import { KINDS } from "./reading.js";
import { announce, made } from "./view.js";

// What chat programs and mail keep whole.
const MOST_IN_LINK = 4_000;
const SAID_FOR_MS = 2_000;

/** Copy, also where the page is not secure and the clipboard is closed to it. */
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = made("textarea", { value: text, className: "unseen" });
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("copying failed");
}

/** Copy a text, and say on the button that it was done. */
export async function copy(button, text) {
  const words = button.dataset.words ?? button.textContent;
  button.dataset.words = words;
  const focused = document.activeElement;
  const said = await copied(text).then(
    () => "Copied",
    () => "Not copied",
  );
  focused?.focus();
  button.textContent = said;
  announce(said);
  setTimeout(() => {
    button.textContent = words;
  }, SAID_FOR_MS);
}

/** Save a text as a file. */
export function download(name, type, text) {
  // Spreadsheets take a CSV without the mark for another encoding.
  const url = URL.createObjectURL(new Blob(["\ufeff", text], { type }));
  made("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Whether a text is short enough for a link. */
export const fitsLink = (text) => text.length > 0 && text.length <= MOST_IN_LINK;

/** The page's address with a text; what follows # goes to no server. */
export function linkTo(text, kind) {
  const as = kind === "one" ? "" : `&read=${kind}`;
  return `${location.href.split("#")[0]}#text=${encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd"))}${as}`;
}

/** The text that the page's address holds, `{text, kind}` or `{problem}`; null without one. */
export function fromLink() {
  const stated = new URLSearchParams(location.hash.slice(1));
  const text = stated.get("text");
  if (text === null) return null;
  const length = text.length.toLocaleString("en");
  if (text.length > MOST_IN_LINK)
    return {
      problem: `The link's text has ${length} characters, over ${MOST_IN_LINK.toLocaleString("en")}: it was left out.`,
    };
  const kind = stated.get("read");
  return { text, kind: KINDS.includes(kind) ? kind : "one" };
}
