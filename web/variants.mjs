/** An artifact's variants in a person's words. One that is not known here goes by its own name. */

const WORDS = {
  int8: ["small", "8-bit integers."],
  fp32: ["exact", "32-bit floats, as in the original."],
  guarded: ["guarded", "8-bit integers, and 32-bit floats where a label is near its threshold."],
};

export const word = (variant) => (Object.hasOwn(WORDS, variant) ? WORDS[variant][0] : variant);
/** Names in a row: small, or small and exact. */
export const words = (variants) => variants.map(word).join(" and ");
/** A threshold as people write it: 0.2, and not 0.20000000298023224. */
export const short = (number) => String(Number(number.toPrecision(4)));
export const megabytes = (bytes) =>
  `${bytes < 9.95e6 ? (bytes / 1e6).toFixed(1) : Math.round(bytes / 1e6)} MB`;

/** What the variant's arithmetic is, and how often its labels were others than the original's. */
function says({ name, parity }) {
  const kind = Object.hasOwn(WORDS, name) ? WORDS[name][1] : "";
  const { texts, flip_rate: rate } = parity ?? {};
  if (!Number.isFinite(rate) || !Number.isSafeInteger(texts)) return kind;
  const others = Math.round(rate * texts) || "None";
  return `${kind} ${others} of ${texts} check texts got other labels than from the original.`.trim();
}

/**
 * The ways to answer that an artifact offers, the smallest first: each variant, and small and exact at once.
 *
 * `[{value, variants, word, says, bytes}]` of a manifest's `variants` and `files`.
 */
export function choices({ variants, files }) {
  const found = variants.map((variant) => ({
    value: variant.name,
    variants: [variant.name],
    word: word(variant.name),
    says: says(variant),
    bytes: files[variant.file].size,
  }));
  const pair = ["int8", "fp32"].map((name) => found.find(({ value }) => value === name));
  if (pair.every(Boolean)) {
    found.push({
      value: "both",
      variants: pair.map(({ value }) => value),
      word: "both",
      says: "Small and exact at once: two bars a label, and a sign where they decide otherwise.",
      bytes: pair[0].bytes + pair[1].bytes,
    });
  }
  return found.sort((a, b) => a.bytes - b.bytes);
}

/** What a visit downloads, part by part. */
export const parts = ({ bytes }, { vocabulary, runtime }) =>
  `To download: ${megabytes(bytes)} of model, ${megabytes(vocabulary)} of vocabulary, ` +
  `${megabytes(runtime)} of onnxruntime, which runs it.`;
