// Evidence, everything an outsider needs to judge one record, in one document: ledger_service/proofs/evidence.py.

import { hex, utf8 } from "./bytes.js";
import { decode, encode, encodeBase64url, formatTime, parseTime } from "./canonical.js";
import { MalformedError } from "./errors.js";
import { parseSchemaJson, schemaJson } from "./schema.js";
import { bytesOf, countOf, hexOf, integerOf, listOf, objectOf, optional, textOf } from "./shapes.js";
import { formatStatus, parseStatus } from "./status.js";
import { formatTlogProof, parseTlogProof } from "./tlog_proof.js";

export const EVIDENCE_VERSION = "audit-ledger/evidence/v1";
export const MAX_EVIDENCE_SIZE = 8 << 20;
export const MAX_ANCHORS = 16;

const MEMBERS = ["v", "entry", "schema", "fields", "proof", "anchors", "status"];
const ANCHOR_MEMBERS = [
  "chain_id", "genesis_hash", "contract", "code_hash", "log_id", "size", "root", "time", "previous",
  "block", "tx_hash", "header_rlp", "receipt_proof",
];

// The evidence that `formatEvidence` writes as `data`, at most 8 MiB; throws MalformedError.
export function parseEvidence(data) {
  if (data.length > MAX_EVIDENCE_SIZE) throw new MalformedError("The evidence is larger than 8 MiB.");
  const members = objectOf(decode(data), MEMBERS, "The evidence");
  if (members.v !== EVIDENCE_VERSION) throw new MalformedError("The evidence is of an unknown version.");
  const anchors = listOf(members.anchors, "anchors", MAX_ANCHORS);
  return {
    entry: bytesOf(members.entry, "entry"),
    schema: parseSchemaJson(members.schema),
    fields: optional(members.fields, (fields) => listOf(fields, "fields")),
    proof: parseTlogProof(utf8(textOf(members.proof, "proof"))),
    anchors: anchors.map(parseAnchor),
    status: optional(members.status, parseStatus),
  };
}

export const formatEvidence = (evidence) =>
  encode({
    v: EVIDENCE_VERSION,
    entry: encodeBase64url(evidence.entry),
    schema: schemaJson(evidence.schema),
    fields: evidence.fields,
    proof: new TextDecoder().decode(formatTlogProof(evidence.proof)),
    anchors: evidence.anchors.map(anchorJson),
    status: optional(evidence.status, formatStatus),
  });

const anchorJson = (anchor) => ({
  chain_id: anchor.chainId,
  genesis_hash: prefixed(anchor.genesisHash),
  contract: prefixed(anchor.contract),
  code_hash: prefixed(anchor.codeHash),
  log_id: prefixed(anchor.logId),
  size: anchor.size,
  root: encodeBase64url(anchor.root),
  time: formatTime(anchor.time),
  previous: optional(anchor.previous, ({ size, root, time }) => ({
    size,
    root: encodeBase64url(root),
    time: formatTime(time),
  })),
  block: {
    number: anchor.block.number,
    hash: prefixed(anchor.block.hash),
    time: formatTime(anchor.block.time),
  },
  tx_hash: prefixed(anchor.txHash),
  header_rlp: optional(anchor.headerRlp, prefixed),
  receipt_proof: optional(anchor.receiptProof, (nodes) => nodes.map(prefixed)),
});

const prefixed = (data) => `0x${hex(data)}`;

function parseAnchor(value) {
  const members = objectOf(value, ANCHOR_MEMBERS, "An anchor");
  return {
    chainId: integerOf(members.chain_id, "chain_id", { atLeast: 1 }),
    genesisHash: hexOf(members.genesis_hash, "genesis_hash", 32),
    contract: hexOf(members.contract, "contract", 20),
    codeHash: hexOf(members.code_hash, "code_hash", 32),
    logId: hexOf(members.log_id, "log_id", 32),
    size: countOf(members.size, "size", { atLeast: 1 }),
    root: bytesOf(members.root, "root", 32),
    time: parseTime(textOf(members.time, "time")),
    previous: optional(members.previous, parseHead),
    block: parseBlock(members.block),
    txHash: hexOf(members.tx_hash, "tx_hash", 32),
    headerRlp: optional(members.header_rlp, (header) => hexOf(header, "header_rlp")),
    receiptProof: optional(members.receipt_proof, (nodes) =>
      listOf(nodes, "receipt_proof", 64).map((node) => hexOf(node, "A node")),
    ),
  };
}

function parseHead(value) {
  const members = objectOf(value, ["size", "root", "time"], "The previous head");
  return {
    size: countOf(members.size, "size", { atLeast: 1 }),
    root: bytesOf(members.root, "root", 32),
    time: parseTime(textOf(members.time, "time")),
  };
}

function parseBlock(value) {
  const members = objectOf(value, ["number", "hash", "time"], "The block");
  return {
    number: integerOf(members.number, "number"),
    hash: hexOf(members.hash, "hash", 32),
    time: parseTime(textOf(members.time, "time")),
  };
}
