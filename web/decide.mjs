import { Tokenizer } from "@huggingface/tokenizers";

const MOST_TOKENS = 65536;
/** What an artifact is opened from, besides its graph. */
export const FILES = ["config.json", "thresholds.json", "tokenizer.json", "tokenizer_config.json"];

/** Open an artifact: `ort` is onnxruntime-node or onnxruntime-web, `read(name)` gives a file's bytes. */
export async function open(ort, read, graph = "onnx/model_quantized.onnx", options = {}) {
  const opening = Promise.resolve(read(graph)).then((bytes) => ort.InferenceSession.create(bytes, options));
  const json = async (name) => JSON.parse(new TextDecoder().decode(await read(name)));
  const [session, config, thresholds, vocabulary, settings] = await Promise.all([
    opening,
    ...FILES.map(json),
  ]);
  const labels = Object.values(config.id2label); // whole numbers as keys: in the order of the columns
  const tokenizer = new Tokenizer(vocabulary, settings);
  const limit = vocabulary.truncation?.max_length;
  if (!Number.isSafeInteger(limit) || limit < 2 || limit > MOST_TOKENS)
    throw new Error(`tokenizer.json: truncation: found ${limit}, expected 2 to ${MOST_TOKENS} tokens`);
  const unknown = labels.find((label) => !Object.hasOwn(thresholds, label));
  if (unknown !== undefined) throw new Error(`thresholds.json: no threshold of ${JSON.stringify(unknown)}`);
  // Cut as the tokenizer in Python cuts: the last token, [SEP], stays.
  const cut = (ids) => (ids.length > limit ? [...ids.slice(0, limit - 1), ids.at(-1)] : ids);

  /** Every label of every text, in the artifact's order, its token ids, and whether it was cut. */
  async function decide(texts) {
    if (texts.length === 0) return [];
    const whole = texts.map((text) => tokenizer.encode(text).ids);
    const rows = whole.map(cut);
    const shape = [rows.length, Math.max(...rows.map((ids) => ids.length))];
    const padded = rows.map((ids) => [...ids, ...Array(shape[1] - ids.length).fill(0)]);
    const masks = rows.map((ids) =>
      Array.from({ length: shape[1] }, (_, place) => Number(place < ids.length)),
    );
    const tensor = (numbers) => new ort.Tensor("int64", BigInt64Array.from(numbers.flat(), BigInt), shape);
    const inputs = { input_ids: tensor(padded), attention_mask: tensor(masks) };
    const { probabilities, predictions } = await session.run(inputs, ["probabilities", "predictions"]);
    const expected = [rows.length, labels.length].join();
    for (const [name, { dims }] of Object.entries({ probabilities, predictions })) {
      if (dims.join() !== expected)
        throw new Error(`${name}: found shape ${dims.join()}, expected ${expected}: one column a label`);
    }
    const answer = (label, at) => ({
      label,
      threshold: thresholds[label],
      probability: probabilities.data[at],
      decided: Boolean(predictions.data[at]),
    });
    return rows.map((ids, row) => ({
      ids,
      truncated: ids.length < whole[row].length,
      labels: labels.map((label, column) => answer(label, row * labels.length + column)),
    }));
  }
  return Object.assign(decide, { close: () => session.release() });
}
