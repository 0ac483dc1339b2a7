/** The model as the page sees it: a worker that loads variants and answers texts. */

// The browser lets no other text become a program's address.
const policy = globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: () => "worker.js" });

/**
 * Start the worker. `heard` is called with what it says: `{about, progress, ready, failure}`.
 *
 * `ask` gives one answer a variant, or null where the model is not ready.
 */
export function connect(heard) {
  const worker = new Worker(policy?.createScriptURL("") ?? "worker.js", { type: "module" });
  const waiting = new Map();
  let asked = 0;
  worker.onmessage = ({ data }) => {
    if (data.type !== "answer") return heard[data.type](data);
    waiting.get(data.id)(data.answers);
    waiting.delete(data.id);
  };
  worker.onerror = (event) => {
    const why = event.message ?? "worker.js is missing or blocked";
    heard.failure({ text: `The page's program could not be started: ${why}.`, runs: [] });
  };
  return {
    stop: () => worker.terminate(),
    load: (variants) => worker.postMessage({ type: "load", variants }),
    ask: (text) =>
      new Promise((resolve) => {
        asked += 1;
        waiting.set(asked, resolve);
        worker.postMessage({ type: "ask", id: asked, text });
      }),
  };
}
