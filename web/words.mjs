/** The page's words about the model: title, description and examples, from the recipe's card. */

const escaped = (text) =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`).replaceAll("\0", "\ufffd");

/** Put an artifact's words into the page; what the recipe does not say, the labels say, or is left out. */
export function filled(page, { name, recipe }) {
  const { card, labels } = recipe;
  const names = labels.names.slice(0, 5).join(", ") + (labels.names.length > 5 ? ", …" : "");
  const buttons = (card.examples ?? []).map((text) => `<button type="button">${escaped(text)}</button>`);
  const words = {
    title: escaped(card.title ?? name),
    description: escaped(card.description ?? `A small language model labels what you type: ${names}.`),
    examples: buttons.join("\n            "),
  };
  const whole = page.replace(/\{\{(\w+)\}\}/g, (_, key) => words[key]);
  // An empty group of examples would be read out all the same.
  return buttons.length ? whole : whole.replace(/\s*<fieldset class="examples">.*?<\/fieldset>/s, "");
}
