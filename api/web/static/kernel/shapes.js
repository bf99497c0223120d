// Strict shapes of decoded JSON, each returned as what was asked: ledger_service/proofs/shapes.py.

import { unhex } from "./bytes.js";
import { decodeBase64url, MAX_INTEGER } from "./canonical.js";
import { MalformedError } from "./errors.js";

const HEX = /^0x[0-9a-f]*$/;

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

export function objectOf(value, names, what) {
  const exact =
    isObject(value) &&
    Object.keys(value).length === names.length &&
    names.every((name) => Object.hasOwn(value, name));
  if (!exact) {
    throw new MalformedError(
      `${what} is not an object with exactly the members ${[...names].sort().join(", ")}.`,
    );
  }
  return value;
}

export function listOf(value, what, atMost = 10_000) {
  if (!Array.isArray(value) || value.length > atMost) {
    throw new MalformedError(`${what} is not a list of at most ${atMost} items.`);
  }
  return value;
}

// `pattern` must be anchored at both ends.
export function textOf(value, what, pattern) {
  if (typeof value !== "string" || (pattern !== undefined && !pattern.test(value))) {
    throw new MalformedError(`${what} is not text in the form it must have.`);
  }
  return value;
}

export function integerOf(value, what, { atLeast = 0, atMost = MAX_INTEGER } = {}) {
  if (!Number.isInteger(value) || value < atLeast || value > atMost) {
    throw new MalformedError(`${what} is not an integer from ${atLeast} to ${atMost}.`);
  }
  return value;
}

// A size or an index. Those of proofs reach beyond 2^53, so that all of them are BigInts.
export const countOf = (value, what, bounds) => BigInt(integerOf(value, what, bounds));

export const bytesOf = (value, what, size) => decodeBase64url(textOf(value, what), size);

export function hexOf(value, what, size) {
  const text = textOf(value, what, HEX);
  if (text.length % 2) throw new MalformedError(`${what} is not text in the form it must have.`);
  const data = unhex(text.slice(2));
  if (size !== undefined && data.length !== size) {
    throw new MalformedError(`${what} is not ${size} bytes long.`);
  }
  return data;
}

// `parse` of a value, or null where the value is null.
export const optional = (value, parse) => (value === null ? null : parse(value));
