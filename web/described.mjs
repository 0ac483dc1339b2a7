/** What the page says of a model, from the artifact's manifest: the recipe's own words where it has them. */
import { licence } from "./licences.mjs";
import { choices, megabytes, word } from "./variants.mjs";

const plain = (source) => String(source).replace(/^(hub|package|path):/, "");

function quality({ variant, split, data, accuracy, macro }) {
  const figures = [Number.isFinite(accuracy) && `accuracy ${accuracy.toFixed(3)}`];
  figures.push(Number.isFinite(macro?.f1) && `macro F1 ${macro.f1.toFixed(3)}`);
  const said = figures.filter(Boolean).join(", ");
  return said && `${said}: ${word(variant)}, on ${data ? `${data} ` : ""}${split}`;
}

/** Pairs of a term and what it is, for whoever opens "About this model". */
function facts(manifest, singleLabel) {
  const { name, encoder, evaluations, recipe, files } = manifest;
  const { card, labels } = recipe;
  const from = card.encoder ?? card.base_model ?? plain(encoder?.source ?? "");
  const parts = Object.entries(card.licenses ?? {});
  const shape = encoder?.layers ? `: ${encoder.layers} layers, ${encoder.hidden} wide` : "";
  const pairs = [
    ["Name", name],
    ["Made for", card.use],
    ["Not for", card.misuse],
    ["Encoder", from && `${from}${shape}`],
    ["Training", card.training ?? (manifest.data?.name && `texts of ${manifest.data.name}`)],
    ["Licences", parts.map(([part, text]) => `${part}: ${text}`).join(". ")],
    ["Labels", `${labels.names.length}, ${singleLabel ? "one a text" : "each with its own threshold"}`],
    ...(evaluations ?? []).filter(({ split }) => split === "test").map((each) => ["Quality", quality(each)]),
    ...manifest.variants.map((variant) => [
      `${word(variant.name)[0].toUpperCase()}${word(variant.name).slice(1)}`,
      `${variant.file}, ${megabytes(files[variant.file].size)}`,
    ]),
  ];
  return pairs.filter(([, text]) => text);
}

/**
 * All that the page says of an artifact; `runtime` is the size of the program that runs it.
 *
 * `labels` are `[{label, threshold}]`; a single-label model's may have none that counts, 0.
 */
export function described(manifest, runtime) {
  const { name, recipe, head, files } = manifest;
  const { card, labels } = recipe;
  const names = labels.names.slice(0, 5).join(", ") + (labels.names.length > 5 ? ", …" : "");
  const singleLabel = head.problem_type === "single_label_classification";
  return {
    name,
    title: card.title ?? name,
    description: card.description ?? `A small language model labels what you type: ${names}.`,
    examples: card.examples ?? [],
    singleLabel,
    labels: labels.names.map((label) => ({ label, threshold: head.thresholds[label] })),
    choices: choices(manifest),
    download: { vocabulary: files["tokenizer.json"]?.size ?? 0, runtime },
    facts: facts(manifest, singleLabel),
    licence: licence(card.license),
  };
}
