/** What can go wrong while a model loads, each as one sentence for the person at the page. */

export class Failure extends Error {}

export const missing = (name, status) =>
  new Failure(`${name} is missing on the server (HTTP ${status}). The page was not published whole.`);

export const unlisted = (name) => new Failure(`${name} is not in the model's manifest.json.`);

export const unreachable = (name) =>
  new Failure(`${name} could not be downloaded: the server does not answer. Check your connection.`);

export const interrupted = (name, found, expected) =>
  new Failure(`The download of ${name} ended after ${found} of ${expected} bytes.`);

export const wrong = (name, what, found, expected) =>
  new Failure(`${name} is the wrong file: its ${what} is ${found}, expected ${expected}.`);

export const unreadable = (name) =>
  new Failure(`${name} is not what it should be: a server's page, perhaps, in place of the file.`);

const MEMORY =
  /out of memory|allocation failed|bad_alloc|OOM|could not allocate|memory access out of bounds/i;

/** A sentence for any error; `variant` was being loaded or asked. */
export function explain(error, variant) {
  if (error instanceof Failure) return error.message;
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof RangeError || MEMORY.test(text)) {
    return `This device has too little free memory for ${variant}. Close other tabs, or take a smaller model.`;
  }
  return `${variant} could not be run: ${text.slice(0, 300)}`;
}
