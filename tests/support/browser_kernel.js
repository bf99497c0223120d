// What tests ask of the browser's kernel: one function for each noun, with arguments and answers that JSON can hold.
// Bytes are hex, sizes and indexes are decimal text.

import { parseAcceptance } from "/static/kernel/acceptance.js";
import { hex, unhex, utf8 } from "/static/kernel/bytes.js";
import { decode, encodeText, formatTime, parseTime } from "/static/kernel/canonical.js";
import * as checkpoints from "/static/kernel/checkpoint.js";
import { claimDigest, formatEntry, parseEntry } from "/static/kernel/entry.js";
import { checkCertificate } from "/static/kernel/erasure.js";
import { LedgerError } from "/static/kernel/errors.js";
import { formatEvidence, parseEvidence } from "/static/kernel/evidence.js";
import { checkFields, commitFields, discloseFields } from "/static/kernel/fields.js";
import * as merkle from "/static/kernel/merkle.js";
import { formatNote, formatVkey, parseNote, parseVkey } from "/static/kernel/note.js";
import { parsePolicy } from "/static/kernel/policy.js";
import { receiptEvidence } from "/static/kernel/receipt.js";
import { formatSchema, parseSchema } from "/static/kernel/schema.js";
import { formatTilePath, parseTilePath } from "/static/kernel/tile.js";
import { formatTlogProof, parseTlogProof } from "/static/kernel/tlog_proof.js";
import { parseTrust } from "/static/kernel/trust.js";
import { formatVerdict, verify } from "/static/kernel/verify.js";

const text = (data) => new TextDecoder().decode(data);
const schemaOf = ({ schema, ...rest }) => ({ ...rest, schema: parseSchema(utf8(schema)) });
const openingOf = ({ salt, ...rest }) => schemaOf({ ...rest, salt: unhex(salt) });
const numbered = (number) => merkle.leafHash(utf8(String(number)));
// The leaves of one growing tree, each hashed once.
const leaves = [];
const leavesOf = (size) => {
  while (leaves.length < size) leaves.push(numbered(leaves.length));
  return leaves.slice(0, size);
};

const NOUNS = {
  canonical: (data) => encodeText(decode(unhex(data))),
  encoded: (value) => encodeText(value),
  time: (moment) => formatTime(parseTime(moment)),
  schema: (json) => {
    const schema = parseSchema(utf8(json));
    return { text: text(formatSchema(schema)), hash: hex(schema.hash) };
  },
  commitment: ({ values, ...opening }) => hex(commitFields(values, openingOf(opening))),
  disclosed: ({ values, ...opening }) => discloseFields(values, openingOf(opening)),
  opened: ({ items, commitment, ...where }) =>
    Object.fromEntries(checkFields(items, { ...schemaOf(where), commitment: unhex(commitment) })),
  entry: (json) => {
    const entry = parseEntry(utf8(json));
    return {
      text: text(formatEntry(entry)),
      leaf: hex(merkle.leafHash(utf8(json))),
      claim_digest: hex(claimDigest(entry.claim)),
    };
  },
  root: (size) => hex(merkle.treeRootOf(leavesOf(size))),
  leaf: (number) => hex(numbered(number)),
  inclusion: ({ leaf, index, size, root, proof }) =>
    merkle.checkInclusion(unhex(leaf), {
      index: BigInt(index),
      size: BigInt(size),
      root: unhex(root),
      proof: proof.map(unhex),
    }),
  consistency: ({ first, second, first_root, second_root, proof }) =>
    merkle.checkConsistency({
      first: BigInt(first),
      second: BigInt(second),
      firstRoot: unhex(first_root),
      secondRoot: unhex(second_root),
      proof: proof.map(unhex),
    }),
  vkey: (line) => formatVkey(parseVkey(line)),
  checkpoint: (note) => {
    const { origin, size, root } = checkpoints.parseCheckpoint(note);
    return { origin, size: String(size), root: hex(root), text: checkpoints.formatCheckpoint({ origin, size, root }) };
  },
  note: (data) => formatNote(parseNote(utf8(data))),
  signature: async ({ note, vkey }) =>
    String(await checkpoints.checkSignature(parseNote(utf8(note)), parseVkey(vkey))),
  cosigned: ({ name, timestamp, checkpoint }) =>
    hex(
      checkpoints.cosignedMessage(name, {
        timestamp: BigInt(timestamp),
        checkpoint: checkpoints.parseCheckpoint(checkpoint),
      }),
    ),
  tlog_proof: (data) => text(formatTlogProof(parseTlogProof(utf8(data)))),
  acceptance: (note) => parseAcceptance(note).origin,
  tile_path: (path) => {
    const tile = parseTilePath(path);
    return { path: formatTilePath(tile), ...tile, index: String(tile.index) };
  },
  certificate: async ({ data, vkeys }) => {
    const certificate = await checkCertificate(utf8(data), vkeys.map(parseVkey));
    return { records: certificate.records, logs: certificate.entries.map(({ log }) => log) };
  },
  evidence: (data) => text(formatEvidence(parseEvidence(utf8(data)))),
  receipt: (data) => text(receiptEvidence(utf8(data))),
  verdict: async ({ evidence, policy, trust, now, at = now, known_at = now, file_digest = null }) => {
    const verdict = await verify(Uint8Array.from(atob(evidence), (character) => character.charCodeAt(0)), {
      policy: parsePolicy(utf8(policy)),
      trust: parseTrust(utf8(trust)),
      now: parseTime(now),
      at: parseTime(at),
      knownAt: parseTime(known_at),
      fileDigest: file_digest && unhex(file_digest),
    });
    return text(formatVerdict(verdict));
  },
};

// The answers to many questions about one noun, each `{ answer }` or `{ code, text }` of the kernel's error.
globalThis.ask = async (noun, questions) => {
  const answers = [];
  for (const question of questions) {
    try {
      answers.push({ answer: (await NOUNS[noun](question)) ?? null });
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      answers.push({ code: error.code, text: error.message });
    }
  }
  return answers;
};
