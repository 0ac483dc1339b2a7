/** What a browser must have, before anything is loaded. */

// The least module with a vector instruction: v128.const, then drop.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12];

/** Why the page cannot run here, or null. */
export function unfit() {
  if (location.protocol === "file:") {
    return "This page must come from a web server. In its folder, run: python3 -m http.server";
  }
  if (typeof WebAssembly !== "object" || !WebAssembly.validate) {
    return "This browser has no WebAssembly, or it is turned off: the model cannot run here.";
  }
  if (!WebAssembly.validate(new Uint8Array([...SIMD, ...Array(16).fill(0), 26, 11]))) {
    return "This browser's WebAssembly has no vector instructions: a newer browser is needed.";
  }
  return null;
}
