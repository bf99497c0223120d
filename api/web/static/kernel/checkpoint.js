// Checkpoints (C2SP tlog-checkpoint) and cosignatures on them: ledger_service/proofs/checkpoint.py.

import { mldsa44Verify } from "../noble/noble.js";

import { concat, uint64, utf8 } from "./bytes.js";
import { decodeBase64, encodeBase64 } from "./canonical.js";
import { ORIGIN } from "./entry.js";
import { MalformedError, SignatureError } from "./errors.js";
import {
  ALG_COSIGNATURE,
  ALG_ED25519,
  ALG_MLDSA44,
  checkEd25519,
  checkEd25519Signature,
  findSignature,
} from "./note.js";

export const MAX_SIZE = 2n ** 63n - 1n;

const SIZE = /^(?:0|[1-9][0-9]{0,18})$/;
const LABEL = utf8("subtree/v1\n\0");

// Origin, size and root of a note's text; throws MalformedError.
export function parseCheckpoint(text) {
  const lines = text.split("\n");
  if (lines.length !== 4 || lines[3] !== "") {
    throw new MalformedError("A checkpoint has exactly three lines: origin, size and root.");
  }
  const [origin, size, root] = lines;
  if (!ORIGIN.test(origin)) {
    throw new MalformedError("The origin is not 1 to 255 printable ASCII characters without space and plus.");
  }
  return { origin, size: parseSize(size), root: decodeBase64(root, 32) };
}

export const formatCheckpoint = ({ origin, size, root }) => `${origin}\n${size}\n${encodeBase64(root)}\n`;

// A decimal number without sign or leading zero, at most 2^63 - 1, as a BigInt; throws MalformedError.
export function parseSize(text) {
  if (!SIZE.test(text) || BigInt(text) > MAX_SIZE) {
    throw new MalformedError("A number is not a decimal from 0 to 2^63 - 1 in its one form.");
  }
  return BigInt(text);
}

// The `cosigned_message` structure of tlog-cosignature that an ML-DSA-44 cosigner signs.
export function cosignedMessage(cosignerName, { timestamp, checkpoint }) {
  const [name, origin] = [utf8(cosignerName), utf8(checkpoint.origin)];
  return concat(
    LABEL,
    Uint8Array.of(name.length),
    name,
    uint64(timestamp),
    Uint8Array.of(origin.length),
    origin,
    uint64(0n),
    uint64(checkpoint.size),
    checkpoint.root,
  );
}

// The time (seconds since 1970, a BigInt), if the type states one, at which `key` signed; rejects with SignatureError.
export async function checkSignature(note, key) {
  if (key.alg === ALG_MLDSA44) return checkMldsa(note, key);
  if (key.alg === ALG_COSIGNATURE) return checkCosignature(note, key);
  if (key.alg === ALG_ED25519) {
    await checkEd25519(note, key);
    return null;
  }
  throw new SignatureError("The kernel cannot check signatures of this type.");
}

export function checkMldsa(note, key) {
  const { timestamp, signature } = cosignature(note, key);
  const message = cosignedMessage(key.name, { timestamp, checkpoint: parseCheckpoint(note.text) });
  if (!mldsa44Verify(signature, message, key.publicKey)) throw new SignatureError();
  return timestamp;
}

export async function checkCosignature(note, key) {
  const { timestamp, signature } = cosignature(note, key);
  await checkEd25519Signature(utf8(`cosignature/v1\ntime ${timestamp}\n${note.text}`), signature, key);
  return timestamp;
}

function cosignature(note, key) {
  const line = findSignature(note, key);
  if (line === undefined) throw new SignatureError("The checkpoint is not cosigned by this key.");
  const { payload } = line;
  const timestamp = payload.subarray(0, 8).reduce((value, byte) => value * 256n + BigInt(byte), 0n);
  if (timestamp < 1n || timestamp > MAX_SIZE) {
    throw new SignatureError("A cosignature's timestamp is from 1 to 2^63 - 1.");
  }
  if (payload.length < 8) throw new SignatureError("A cosignature is cut short.");
  return { timestamp, signature: payload.subarray(8) };
}
