// Signed notes and verifier keys (C2SP signed-note): ledger_service/proofs/note.py.
//
// Ed25519 is the browser's own. Where it has none, the check could not be made.

import { concat, equal, hex, sha256, textOfBytes, utf8 } from "./bytes.js";
import { decodeBase64, encodeBase64 } from "./canonical.js";
import { CouldNotCheckError, MalformedError, SignatureError } from "./errors.js";

export const ALG_ED25519 = "ed25519";
export const ALG_COSIGNATURE = "cosignature";
export const ALG_MLDSA44 = "ml-dsa-44";
export const ALG_EIP712 = "eip712";
export const KEY_ID_SIZE = 4;
export const MAX_NAME_SIZE = 255;
export const MAX_NOTE_SIZE = 1 << 20;
export const MAX_SIGNATURES = 64;

// The first bytes of a verifier key, and how long the public key behind them is.
const ALGORITHMS = [
  [ALG_ED25519, Uint8Array.of(1), 32],
  [ALG_COSIGNATURE, Uint8Array.of(4), 32],
  [ALG_MLDSA44, Uint8Array.of(6), 1312],
  [ALG_EIP712, concat(Uint8Array.of(0xff), utf8("audit-ledger/eip712-checkpoint/v1")), 33],
];

// White space as Python knows it, which is what key names may not hold.
const KEY_NAME =
  /^[^+\u0000- \u007f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ud800-\udfff]+$/u;
const SIGNATURE_LINE = /^\u2014 ([^ ]+) ([A-Za-z0-9+/]+={0,2})$/u;
const VKEY = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u;
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;

// The key with its id, SHA-256(name || 0x0A || prefix || public key)[:4]; throws MalformedError.
export function makeVkey(name, alg, publicKey) {
  const [, prefix, size] = ALGORITHMS.find(([known]) => known === alg);
  if (publicKey.length !== size) {
    throw new MalformedError("The verifier key is of an unknown type or of the wrong length.");
  }
  if (!KEY_NAME.test(name) || utf8(name).length > MAX_NAME_SIZE) {
    throw new MalformedError("A key name is empty, too long, or holds a space, a plus or a control character.");
  }
  const keyId = sha256(utf8(`${name}\n`), prefix, publicKey).slice(0, KEY_ID_SIZE);
  return { name, keyId: hex(keyId), alg, publicKey };
}

// <name>+<hex key id>: how signatures and statements refer to a key.
export const keyReference = (key) => `${key.name}+${key.keyId}`;

export function formatVkey(key) {
  const [, prefix] = ALGORITHMS.find(([known]) => known === key.alg);
  return `${keyReference(key)}+${encodeBase64(concat(prefix, key.publicKey))}`;
}

export function parseVkey(text) {
  const match = VKEY.exec(text);
  if (match === null) throw new MalformedError("The text is not a verifier key.");
  const material = decodeBase64(match[3]);
  for (const [alg, prefix] of ALGORITHMS) {
    if (equal(material.subarray(0, prefix.length), prefix)) {
      const key = makeVkey(match[1], alg, material.subarray(prefix.length));
      if (key.keyId !== match[2]) {
        throw new MalformedError("The verifier key's id does not belong to its name and key.");
      }
      return key;
    }
  }
  throw new MalformedError("The verifier key is of an unknown type.");
}

export const equalKeys = (left, right) => formatVkey(left) === formatVkey(right);

// Text and signatures of a note; throws MalformedError.
export function parseNote(data) {
  const whole = textOfBytes(data.subarray(0, MAX_NOTE_SIZE + 1), "The note is not UTF-8.");
  const end = whole.lastIndexOf("\n\n");
  const text = whole.slice(0, Math.max(end, 0));
  if (data.length > MAX_NOTE_SIZE || CONTROL.test(text)) {
    throw new MalformedError("The note is too large or holds a control character.");
  }
  const lines = whole.slice(end < 0 ? 0 : end + 2).split("\n");
  if (end < 0 || lines.pop() !== "" || lines.length < 1 || lines.length > MAX_SIGNATURES) {
    throw new MalformedError("The note has no text, a blank line and 1 to 64 signature lines.");
  }
  return { text: `${text}\n`, signatures: lines.map(parseLine) };
}

export const formatNote = (note) =>
  note.signatures.reduce(
    (text, line) => `${text}\u2014 ${line.name} ${encodeBase64(line.data)}\n`,
    `${note.text}\n`,
  );

function parseLine(line) {
  const match = SIGNATURE_LINE.exec(line);
  if (match === null || !KEY_NAME.test(match[1])) {
    throw new MalformedError("A line below the text is not a signature line.");
  }
  const data = decodeBase64(match[2]);
  if (data.length <= KEY_ID_SIZE) throw new MalformedError("A signature is empty.");
  const keyId = hex(data.subarray(0, KEY_ID_SIZE));
  return { name: match[1], keyId, payload: data.subarray(KEY_ID_SIZE), data };
}

export const isBy = (line, key) => line.name === key.name && line.keyId === key.keyId;

// The line that `key` made, or undefined; throws SignatureError when it has made two.
export function findSignature(note, key) {
  const found = note.signatures.filter((line) => isBy(line, key));
  if (found.length > 1) throw new SignatureError("The note has two signatures by the same key.");
  return found[0];
}

// Resolves when `key` (type 0x01) signed the note's text; rejects with SignatureError.
export async function checkEd25519(note, key) {
  const line = findSignature(note, key);
  if (line === undefined) throw new SignatureError("The note is not signed by this key.");
  await checkEd25519Signature(utf8(note.text), line.payload, key);
}

// Resolves when the signature over `message` is by `key`. Rejects with SignatureError, and with CouldNotCheckError
// where the browser has no Ed25519.
export async function checkEd25519Signature(message, signature, key) {
  if (key.alg !== ALG_ED25519 && key.alg !== ALG_COSIGNATURE) {
    throw new SignatureError("The verifier key is not an Ed25519 key.");
  }
  const crypto = globalThis.crypto?.subtle;
  let signed;
  try {
    const imported = await crypto.importKey("raw", key.publicKey, "Ed25519", false, ["verify"]);
    signed = await crypto.verify("Ed25519", imported, signature, message);
  } catch (error) {
    // Anything but a refused key means that nothing was checked.
    if (error?.name === "DataError") throw new SignatureError();
    throw new CouldNotCheckError("This browser cannot check Ed25519 signatures here.");
  }
  if (!signed) throw new SignatureError();
}
