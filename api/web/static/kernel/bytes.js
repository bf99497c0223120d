// Byte strings: hashing, joining, comparing, hexadecimal and UTF-8.

import { sha256 as hash } from "../noble/noble.js";

import { MalformedError } from "./errors.js";

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

// SHA-256 of any number of parts. The browser's own digest would make every caller asynchronous, and takes
// twenty times as long for the 65 bytes of a tree's node.
export function sha256(...parts) {
  const hasher = hash.create();
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function compare(left, right) {
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at += 1) {
    if (left[at] !== right[at]) return left[at] - right[at];
  }
  return left.length - right.length;
}

export const equal = (left, right) => compare(left, right) === 0;

export const utf8 = (text) => ENCODER.encode(text);

// The text whose UTF-8 is exactly `data`; throws MalformedError with `message`.
export function textOfBytes(data, message) {
  try {
    return STRICT.decode(data);
  } catch {
    throw new MalformedError(message);
  }
}

export function hex(data) {
  let text = "";
  for (const byte of data) text += byte.toString(16).padStart(2, "0");
  return text;
}

export function unhex(text) {
  const data = new Uint8Array(text.length / 2);
  for (let at = 0; at < data.length; at += 1) data[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return data;
}

// `value` as an unsigned number of eight bytes, the largest first.
export function uint64(value) {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, value);
  return data;
}
