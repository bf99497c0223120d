// Hashes one file beside the page, piece by piece, so that neither its size nor the page's work matters.
//
// WebCrypto digests whole buffers only. Every piece is read into the same buffer where the browser can do that, so
// that the memory does not depend on how soon it clears away.

import { createSHA256 } from "../hash-wasm/hash-wasm.js";
import { sha256 } from "../noble/noble.js";

const PIECE = 4 << 20;

globalThis.onmessage = async ({ data: file }) => {
  try {
    const hasher = await makeHasher();
    let done = 0;
    let told = 0;
    for await (const piece of pieces(file)) {
      hasher.update(piece);
      done += piece.length;
      if (done - told >= PIECE || done === file.size) {
        told = done;
        globalThis.postMessage({ done });
      }
    }
    if (done !== file.size) throw new Error("The file ended before its size.");
    globalThis.postMessage({ digest: hasher.digest("binary") });
  } catch (error) {
    // The file was changed, moved or taken away while it was read.
    globalThis.postMessage({ failed: error.message });
  }
};

async function* pieces(file) {
  const reader = readerOf(file.stream());
  let buffer = new ArrayBuffer(PIECE);
  for (;;) {
    const { value, done } = await reader.read(new Uint8Array(buffer));
    if (done) return;
    yield value;
    buffer = value.buffer;
  }
}

function readerOf(stream) {
  try {
    return stream.getReader({ mode: "byob" });
  } catch {
    // A browser whose files cannot be read into a given buffer: this reader gives one of its own each time.
    return stream.getReader();
  }
}

async function makeHasher() {
  try {
    return await createSHA256();
  } catch {
    // A browser or a policy without WebAssembly: the same digest, three times slower.
    return sha256.create();
  }
}
