/** The artifact's own pages beside this one: its model card as HTML, and its report, neither with any program. */
import markdown from "markdown-it";
import { escaped } from "./words.mjs";

const POLICY =
  "default-src 'none'; style-src 'unsafe-inline' 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'";
const HEAD = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">`;

/** A page of anybody's, under a policy that runs nothing and asks no one, whatever is in it. */
export function underPolicy(page) {
  return HEAD + page.replace(/^\ufeff?\s*(<!doctype[^>]*>)?/i, "");
}

/** A model card's Markdown as a page; HTML in it is shown as text, but for a part that folds. */
export function asPage(card, title) {
  const body = markdown({ html: false })
    .render(card.replace(/^\ufeff?---\n.*?\n---\n/s, ""))
    .replace(
      /<p>&lt;details&gt;\s*&lt;summary&gt;(.*?)&lt;\/summary&gt;<\/p>/g,
      "<details><summary>$1</summary>",
    )
    .replace(/<p>&lt;\/details&gt;<\/p>/g, "</details>")
    .replaceAll("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>')
    .replaceAll("</table>", "</table></div>")
    .replaceAll("<pre>", '<pre tabindex="0">');
  return underPolicy(`
<html lang="en">
  <head>
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${escaped(title)}: model card</title>
    <link rel="icon" href="icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="card.css" />
  </head>
  <body>
    <main class="card">
      <p><a href="./">Try the model</a></p>
      ${body}
    </main>
  </body>
</html>
`);
}
