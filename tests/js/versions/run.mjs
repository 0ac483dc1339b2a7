/**
 * Runs graphs on token ids in one version of onnxruntime: `node run.mjs MODULE IN.json OUT.json GRAPH…`.
 *
 * OUT is, by a graph's number, the `probabilities` of each text alone, float32 as numbers, or the `error`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [, , module, source, target, ...graphs] = process.argv;
const ort = createRequire(path.resolve("package.json"))(module);
// WebAssembly in Node: one thread, which needs no worker.
if (ort.env.wasm) Object.assign(ort.env.wasm, { numThreads: 1, proxy: false });
ort.env.logLevel = "fatal";

async function answers(graph, ids) {
  const executionProviders = [module.startsWith("web") ? "wasm" : "cpu"];
  const session = await ort.InferenceSession.create(readFileSync(graph), {
    executionProviders,
    intraOpNumThreads: 1,
  });
  const rows = [];
  for (const row of ids) {
    const tensor = (values) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, row.length]);
    const feeds = { input_ids: tensor(row), attention_mask: tensor(row.map(() => 1)) };
    // All outputs: onnxruntime-node 1.17 and 1.23 answer a choice of outputs with the first of all.
    const { probabilities } = await session.run(feeds);
    rows.push(Array.from(probabilities.data));
  }
  return rows;
}

const { ids } = JSON.parse(readFileSync(source, "utf-8"));
const found = {};
for (const [number, graph] of graphs.entries()) {
  try {
    found[`${number} alone`] = await answers(graph, ids);
  } catch (error) {
    found[`${number} error`] = String(error?.message ?? error);
  }
}
writeFileSync(target, JSON.stringify(found));
