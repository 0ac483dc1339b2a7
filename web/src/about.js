/** What the model is, in a person's words, from the artifact's manifest. */

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
export const milliseconds = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

const source = (text) => text.replace(/^(hub|package|path):/, "");

function loaded({ ms, cached }, keeps) {
  if (cached) return `from this browser's cache, in ${seconds(ms)}`;
  return `from the server, in ${seconds(ms)}${keeps ? "; kept for the next visit" : ""}`;
}

/** Pairs of a term and what it is, for the variant that runs. */
export function facts(manifest, variant, { ready, threads, keeps }) {
  const { encoder, files, head, recipe } = manifest;
  const singleLabel = head.problem_type === "single_label_classification";
  const chosen = manifest.variants.find(({ name }) => name === variant);
  const evaluation = manifest.evaluations?.find((each) => each.variant === variant && each.split === "test");
  const pairs = [
    ["Name", `${manifest.name}, ${variant}`],
    ["Encoder", `${source(encoder.source)}: ${encoder.layers} layers, ${encoder.hidden} wide`],
    [
      "Labels",
      `${recipe.labels.names.length}, ${singleLabel ? "one a text" : "each with its own threshold"}`,
    ],
    ["File", `${chosen.file}, ${megabytes(files[chosen.file].size)}`],
    [
      "Differs",
      `${percent(chosen.parity.flip_rate)} of ${chosen.parity.texts} check texts from the original`,
    ],
  ];
  if (evaluation?.accuracy !== undefined)
    pairs.push(["Accuracy", `${evaluation.accuracy.toFixed(3)} on test`]);
  if (evaluation) pairs.push(["Macro-F1", `${evaluation.macro.f1.toFixed(3)} on ${evaluation.data} test`]);
  pairs.push(
    ["Runs in", `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`],
    ["Loaded", loaded(ready, keeps)],
    ["SHA-256", files[chosen.file].sha256],
  );
  return pairs;
}
