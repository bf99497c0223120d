// Offline proofs of inclusion (C2SP tlog-proof), index, path and signed checkpoint: ledger_service/proofs/tlog_proof.py.

import { concat, textOfBytes, utf8 } from "./bytes.js";
import { decodeBase64, encodeBase64 } from "./canonical.js";
import { parseCheckpoint, parseSize } from "./checkpoint.js";
import { MalformedError } from "./errors.js";
import { parseNote } from "./note.js";

export const HEADER = "c2sp.org/tlog-proof@v1";
export const MAX_PATH = 64;

// Index (a BigInt), hashes, the note's bytes and the extra bytes (or null); throws MalformedError.
export function parseTlogProof(data) {
  const blank = data.findIndex((byte, at) => byte === 0x0a && data[at + 1] === 0x0a);
  const head = data.subarray(0, blank < 0 ? data.length : blank);
  if (head.some((byte) => byte > 0x7f)) throw new MalformedError("The head of the proof is not ASCII.");
  const lines = textOfBytes(head, "").split("\n");
  if (blank < 0 || lines.shift() !== HEADER) throw new MalformedError(`The text is not a ${HEADER}.`);
  const checkpoint = data.subarray(blank + 2);
  parseCheckpoint(parseNote(checkpoint).text);
  const extra = lines[0]?.startsWith("extra ") ? decodeBase64(lines.shift().slice(6)) : null;
  if (!lines[0]?.startsWith("index ") || lines.length > MAX_PATH + 1) {
    throw new MalformedError("The proof has no index line, or a path of more than 64 hashes.");
  }
  const index = parseSize(lines[0].slice(6));
  return { index, hashes: lines.slice(1).map((line) => decodeBase64(line, 32)), checkpoint, extra };
}

export function formatTlogProof({ index, hashes, checkpoint, extra }) {
  const lines = [HEADER, ...(extra === null ? [] : [`extra ${encodeBase64(extra)}`]), `index ${index}`];
  return concat(utf8([...lines, ...hashes.map(encodeBase64), "", ""].join("\n")), checkpoint);
}
