/** Names of files as an artifact of anybody's states them: one that stays inside a folder, or none. */

/** Whether a name is plain for every system and terminal: no way out of a folder, no drive, no control. */
export function isPlain(name) {
  return (
    typeof name === "string" &&
    name.isWellFormed() &&
    !/[\p{C}\p{Zl}\p{Zp}\\:*?"<>|]/u.test(name) &&
    name.split("/").every((part) => part !== "" && part !== "." && part !== ".." && part.length <= 255)
  );
}

/** What a message may hold of anybody's text: a line of printable characters. */
export const shown = (text) =>
  JSON.stringify(String(text).slice(0, 200)).replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0).toString(16)}}`,
  );
