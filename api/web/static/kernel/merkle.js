// The Merkle tree of RFC 9162 section 2.1 over SHA-256: ledger_service/proofs/merkle.py.
//
// Sizes and indexes are BigInts. `leaf` and `leaves` always mean leaf hashes, never entries.

import { equal, sha256 } from "./bytes.js";
import { ConsistencyError, InclusionError } from "./errors.js";

export const HASH_SIZE = 32;
export const EMPTY_ROOT = sha256();

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (entry) => sha256(LEAF, entry);

export const nodeHash = (left, right) => sha256(NODE, left, right);

export function treeRootOf(leaves) {
  if (leaves.length === 0) return EMPTY_ROOT;
  let level = [...leaves];
  while (level.length > 1) {
    const heads = [];
    for (let at = 0; at + 1 < level.length; at += 2) heads.push(nodeHash(level[at], level[at + 1]));
    if (level.length % 2) heads.push(level.at(-1));
    level = heads;
  }
  return level[0];
}

// Returns when `leaf` is entry `index` of the tree (RFC 9162 section 2.1.3.2); throws InclusionError.
export function checkInclusion(leaf, { index, size, root, proof }) {
  if (index < 0n || index >= size) {
    throw new InclusionError(`A tree of ${size} entries has no index ${index}.`);
  }
  checkSizes([leaf, ...proof], InclusionError);
  let node = index;
  let last = size - 1n;
  let head = leaf;
  for (const step of proof) {
    if (last === 0n) throw new InclusionError("The inclusion proof is too long.");
    if (node & 1n || node === last) {
      head = nodeHash(step, head);
      while (!(node & 1n)) {
        // The head is the right edge of its level and has no sibling there: it rises unchanged.
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      head = nodeHash(head, step);
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new InclusionError("The inclusion proof is too short.");
  if (!equal(head, root)) throw new InclusionError();
}

// Returns when the tree at `second` begins with the tree at `first` (RFC 9162 section 2.1.4.2); throws
// ConsistencyError. Size 0 has the root SHA-256("") and an empty proof to anything.
export function checkConsistency({ first, second, firstRoot, secondRoot, proof }) {
  if (first < 0n || first > second) {
    throw new ConsistencyError(`A tree of ${second} entries cannot continue one of ${first}.`);
  }
  if (first === 0n && !equal(firstRoot, EMPTY_ROOT)) {
    throw new ConsistencyError("The root of the empty tree is not SHA-256 of nothing.");
  }
  if (first === 0n || first === second) {
    if (proof.length || (first === second && !equal(firstRoot, secondRoot))) throw new ConsistencyError();
    if (first !== second) checkSizes([secondRoot], ConsistencyError);
    return;
  }
  checkSizes(proof, ConsistencyError);
  // A perfect first tree's head is itself the start of the path and is not repeated in it.
  const path = (first & (first - 1n)) === 0n ? [firstRoot, ...proof] : proof;
  if (!path.length) throw new ConsistencyError("The consistency proof is too short.");
  let node = first - 1n;
  let last = second - 1n;
  while (node & 1n) {
    node >>= 1n;
    last >>= 1n;
  }
  const heads = climb(node, last, path);
  if (!equal(heads[0], firstRoot) || !equal(heads[1], secondRoot)) throw new ConsistencyError();
}

function climb(start, end, path) {
  let [node, last] = [start, end];
  let [firstHead, secondHead] = [path[0], path[0]];
  for (const step of path.slice(1)) {
    if (last === 0n) throw new ConsistencyError("The consistency proof is too long.");
    if (node & 1n || node === last) {
      [firstHead, secondHead] = [nodeHash(step, firstHead), nodeHash(step, secondHead)];
      while (!(node & 1n)) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      secondHead = nodeHash(secondHead, step);
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new ConsistencyError("The consistency proof is too short.");
  return [firstHead, secondHead];
}

function checkSizes(hashes, Failure) {
  if (hashes.some((item) => item.length !== HASH_SIZE)) {
    throw new Failure("A hash of the proof is not 32 bytes long.");
  }
}
