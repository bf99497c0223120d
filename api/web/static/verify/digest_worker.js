// Hashes one file beside the page, piece by piece, so that neither its size nor the page's work matters.
//
// WebCrypto digests whole buffers only. Two pieces are in memory at a time: one is hashed while the next is read.

import { createSHA256 } from "../hash-wasm/hash-wasm.js";
import { sha256 } from "../noble/noble.js";

const PIECE = 4 << 20;

globalThis.onmessage = async ({ data: file }) => {
  const read = (at) => file.slice(at, at + PIECE).arrayBuffer();
  try {
    const hasher = await makeHasher();
    let next = read(0);
    for (let at = 0; at < file.size; at += PIECE) {
      const piece = await next;
      next = read(at + PIECE);
      hasher.update(new Uint8Array(piece));
      globalThis.postMessage({ done: at + piece.byteLength });
    }
    globalThis.postMessage({ digest: hasher.digest("binary") });
  } catch (error) {
    // The file was changed, moved or taken away while it was read.
    globalThis.postMessage({ failed: error.message });
  }
};

async function makeHasher() {
  try {
    return await createSHA256();
  } catch {
    // A browser or a policy without WebAssembly: the same digest, three times slower.
    return sha256.create();
  }
}
