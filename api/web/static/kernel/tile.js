// Tile paths and entry bundles of C2SP tlog-tiles: ledger_service/proofs/tile.py.

import { MalformedError } from "./errors.js";

export const TILE_WIDTH = 256;
export const ENTRIES = "entries";

const MAX_LEVEL = 63;
const PATH = /^tile\/(entries|[0-9]{1,2})((?:\/x[0-9]{3}){0,6}\/[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/;

// The path below the log's prefix, tile/<L>/<N>[.p/<W>]; `index` is a BigInt.
export function formatTilePath({ level, index, width }) {
  const groups = [String(index % 1000n).padStart(3, "0")];
  for (let rest = index / 1000n; rest; rest /= 1000n) {
    groups.unshift(`x${String(rest % 1000n).padStart(3, "0")}`);
  }
  return `tile/${level}/${groups.join("/")}${width === TILE_WIDTH ? "" : `.p/${width}`}`;
}

// The tile whose path is exactly `path`; throws MalformedError.
export function parseTilePath(path) {
  const match = PATH.exec(path);
  if (match === null) throw new MalformedError("The path names no tile.");
  const [, level, index, width] = match;
  const tile = {
    level: level === ENTRIES ? ENTRIES : Number(level),
    index: BigInt(index.replace(/[/x]/g, "")),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  if (tile.level !== ENTRIES && tile.level > MAX_LEVEL) {
    throw new MalformedError(`A tile level is at most ${MAX_LEVEL}.`);
  }
  if (tile.width < 1 || tile.width > TILE_WIDTH) {
    throw new MalformedError("A tile has an index from 0 and a width from 1 to 256.");
  }
  if (formatTilePath(tile) !== path) throw new MalformedError("The path is not the one form of its tile.");
  return tile;
}

// The 1 to 256 entries of a bundle, each behind its length as a big-endian 16-bit number; throws MalformedError.
export function parseBundle(data) {
  const entries = [];
  for (let at = 0; at < data.length; ) {
    const start = at + 2;
    at = start + data[start - 2] * 256 + (data[start - 1] ?? 0);
    if (at > data.length || entries.length === TILE_WIDTH) {
      throw new MalformedError("The bundle is cut short or holds more than 256 entries.");
    }
    entries.push(data.subarray(start, at));
  }
  if (!entries.length) throw new MalformedError("The bundle is empty.");
  return entries;
}
