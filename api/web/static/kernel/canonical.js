// Canonical JSON (RFC 8785, restricted), base64url and time: ledger_service/proofs/canonical.py.
//
// Objects have no prototype, so that a member may have any name. Sizes and indexes are BigInts; other integers are
// numbers within +-(2^53 - 1). Times are seconds since 1970.

import { textOfBytes, utf8 } from "./bytes.js";
import { MalformedError } from "./errors.js";

export const MAX_DEPTH = 32;
export const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

const KEY = /^[a-z0-9_]+$/;
const NUMBER = /(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const WORD = /null|true|false|NaN|-?Infinity/y;
const WORDS = { null: null, true: true, false: false };
// More digits than Python reads.
const LONGEST_NUMBER = 4300;
const TIME = /^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/;

// The one canonical encoding of a value, as text and as bytes; throws MalformedError.
export function encodeText(value, maxDepth = MAX_DEPTH) {
  const text = textOf(value, maxDepth);
  if (!text.isWellFormed()) throw new MalformedError("A string holds a lone surrogate.");
  return text;
}

export const encode = (value, maxDepth = MAX_DEPTH) => utf8(encodeText(value, maxDepth));

// The value whose canonical encoding is exactly `data`; throws MalformedError.
export function decode(data, maxDepth = MAX_DEPTH) {
  refuseDeep(data, maxDepth);
  const text = textOfBytes(data, "The input is not canonical JSON.");
  const value = new Parser(text).parse();
  if (encodeText(value, maxDepth) !== text) {
    throw new MalformedError("The JSON is not in canonical form, or a key is doubled.");
  }
  return value;
}

function textOf(value, depth) {
  // A lone surrogate stays as it is, for `encodeText` to find.
  if (typeof value === "string") return value.isWellFormed() ? JSON.stringify(value) : value;
  if (typeof value === "number" || typeof value === "bigint") return integerText(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (depth < 1) throw new MalformedError("The JSON is nested too deeply.");
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item, depth - 1)).join(",")}]`;
  if (typeof value === "object") return objectText(value, depth - 1);
  throw new MalformedError(`A ${typeof value} has no canonical form.`);
}

function integerText(value) {
  if (typeof value === "number" && !Number.isInteger(value)) {
    throw new MalformedError("A float has no canonical form.");
  }
  if (value < -MAX_INTEGER || value > MAX_INTEGER) {
    throw new MalformedError("An integer is outside +-(2^53 - 1).");
  }
  return String(value);
}

function objectText(value, depth) {
  const keys = Object.keys(value).sort();
  if (!keys.every((key) => KEY.test(key))) {
    throw new MalformedError("An object key is not made of a-z, 0-9 and _.");
  }
  return `{${keys.map((key) => `"${key}":${textOf(value[key], depth)}`).join(",")}}`;
}

// Counted before parsing, so that hostile nesting never reaches the parser's recursion.
function refuseDeep(data, maxDepth) {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < data.length; at += 1) {
    const byte = data[at];
    if (quoted) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) quoted = false;
    } else if (byte === 0x22) {
      quoted = true;
    } else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > maxDepth) throw new MalformedError("The JSON is nested too deeply.");
    } else if (byte === 0x5d || byte === 0x7d) {
      depth -= 1;
    }
  }
}

// Reads any JSON; that it was canonical shows when it is written again. JSON.parse would not do: it calls 1.0 an
// integer, rounds what is too large, and gives objects a prototype.
class Parser {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  parse() {
    this.skipSpace();
    const value = this.value();
    this.skipSpace();
    if (this.at !== this.text.length) refuse();
    return value;
  }

  value() {
    const first = this.text[this.at];
    if (first === '"') return this.string();
    if (first === "{") return this.object();
    if (first === "[") return this.array();
    return this.word();
  }

  object() {
    const value = Object.create(null);
    this.at += 1;
    this.skipSpace();
    if (this.take("}")) return value;
    do {
      this.skipSpace();
      if (this.text[this.at] !== '"') refuse();
      const key = this.string();
      this.skipSpace();
      if (!this.take(":")) refuse();
      this.skipSpace();
      value[key] = this.value();
      this.skipSpace();
    } while (this.take(","));
    if (!this.take("}")) refuse();
    return value;
  }

  array() {
    const value = [];
    this.at += 1;
    this.skipSpace();
    if (this.take("]")) return value;
    do {
      this.skipSpace();
      value.push(this.value());
      this.skipSpace();
    } while (this.take(","));
    if (!this.take("]")) refuse();
    return value;
  }

  string() {
    const start = this.at;
    for (this.at += 1; this.text[this.at] !== '"'; this.at += 1) {
      if (this.at >= this.text.length) refuse();
      if (this.text[this.at] === "\\") this.at += 1;
    }
    this.at += 1;
    try {
      return JSON.parse(this.text.slice(start, this.at));
    } catch {
      return refuse();
    }
  }

  word() {
    WORD.lastIndex = this.at;
    const found = WORD.exec(this.text)?.[0];
    if (found === undefined) return this.number();
    if (!(found in WORDS)) throw new MalformedError("Only integers are numbers here.");
    this.at += found.length;
    return WORDS[found];
  }

  number() {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (found === null) refuse();
    const [text, integer, fraction, exponent] = found;
    if (fraction !== undefined || exponent !== undefined) {
      throw new MalformedError("Only integers are numbers here.");
    }
    if (integer.length > LONGEST_NUMBER) refuse();
    this.at += text.length;
    const value = Number(integer);
    return Number.isSafeInteger(value) ? value : BigInt(integer);
  }

  take(character) {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  skipSpace() {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at += 1;
  }
}

function refuse() {
  throw new MalformedError("The input is not canonical JSON.");
}

export function encodeBase64(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 0x8000) {
    text += String.fromCharCode(...data.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

// The bytes whose standard base64 is exactly `text`, `size` of them if given; throws MalformedError.
export const decodeBase64 = (text, size) =>
  decodeWith(text, size, encodeBase64, (standard) => standard, "base64", "in its one form");

export const encodeBase64url = (data) =>
  encodeBase64(data).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// The same for base64url without padding.
export const decodeBase64url = (text, size) =>
  decodeWith(text, size, encodeBase64url, toStandard, "base64url", "without padding");

function decodeWith(text, size, encoder, standard, name, form) {
  let data;
  try {
    data = Uint8Array.from(atob(standard(text)), (character) => character.charCodeAt(0));
  } catch {
    data = null;
  }
  // What atob forgives shows when it is written again.
  if (data === null || encoder(data) !== text) throw new MalformedError(`The text is not ${name} ${form}.`);
  if (size !== undefined && data.length !== size) {
    throw new MalformedError(`Expected ${size} bytes in ${name}, got ${data.length}.`);
  }
  return data;
}

const toStandard = (text) => text.replaceAll("-", "+").replaceAll("_", "/");

export const formatTime = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

// The time that `formatTime` writes as `text`; throws MalformedError.
export function parseTime(text) {
  const seconds = TIME.test(text) ? Date.parse(text) / 1000 : Number.NaN;
  if (Number.isNaN(seconds) || formatTime(seconds) !== text) {
    throw new MalformedError("The text is not a time in UTC with Z and whole seconds.");
  }
  return seconds;
}
