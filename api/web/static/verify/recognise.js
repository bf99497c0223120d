// What somebody dropped or pasted is: evidence, a receipt, policy, trust file, record, digest, or just a file.

import { textOfBytes, unhex, utf8 } from "../kernel/bytes.js";
import { decode, decodeBase64url } from "../kernel/canonical.js";
import { CERTIFICATE_VERSION } from "../kernel/erasure.js";
import { LedgerError } from "../kernel/errors.js";
import { EVIDENCE_VERSION, MAX_EVIDENCE_SIZE } from "../kernel/evidence.js";
import { parsePolicy } from "../kernel/policy.js";
import { RECEIPT_VERSION } from "../kernel/receipt.js";
import { TRUST_VERSION } from "../kernel/trust.js";
import { filesInside } from "./paper.js";

const REPORT_VERSION = "audit-ledger/verification-report/v1";
const DOCUMENTS = new Map([
  [EVIDENCE_VERSION, "evidence"],
  [RECEIPT_VERSION, "receipt"],
  [TRUST_VERSION, "trust"],
  [CERTIFICATE_VERSION, "certificate"],
  [REPORT_VERSION, "report"],
]);
// A paper is a few hundred kilobytes of fonts, and its evidence.
const MOST_PAPER_BYTES = 4 << 20;
const VERSION = /"v"\s*:\s*"(audit-ledger\/[a-z-]+\/v1)"\s*}\s*$/;
const LINK = /^(?:(https?:\/\/[^/\s]+))?\/?(?:v1\/|[a-z]{2}\/)?records\/([A-Za-z0-9_-]{22,43})(?:[/?#]\S*)?$/;
const VERIFY_LINK = /^(https?:\/\/[^/\s]+)?\/verify\?(?:\S*&)?record=([A-Za-z0-9_-]{22,43})(?:[&#]\S*)?$/;
const RECORD = /^[A-Za-z0-9_-]{22,43}$/;
// As sha256sum and its like print it, with or without the file's name.
const HEX_DIGEST = /^(?:sha-?256[:=]\s*)?([0-9a-f]{64})(?:\s[ *]?.*)?$/i;
const DIGEST_SIZE = 32;

// What a file is, as { kind, data }: a document of ours with its bytes, or kind "file". A paper of ours is a file as well;
// `inside` is then the evidence that it carries.
export async function recogniseFile(file) {
  if (file.size > MAX_EVIDENCE_SIZE) return { kind: "file" };
  const data = new Uint8Array(await file.arrayBuffer());
  const document = recogniseDocument(data);
  if (document !== null || file.size > MOST_PAPER_BYTES) return document ?? { kind: "file" };
  return { kind: "file", inside: await evidenceInside(data) };
}

async function evidenceInside(data) {
  const found = (await filesInside(data, MAX_EVIDENCE_SIZE)).map(recogniseDocument);
  return found.find((document) => document?.kind === "evidence")?.data;
}

// What a text is: a document as above, { kind: "record", id, host }, { kind: "digest", digest }, or null for nothing known.
export function recogniseText(text) {
  const words = text.trim();
  const hexadecimal = HEX_DIGEST.exec(words);
  if (hexadecimal) return { kind: "digest", digest: unhex(hexadecimal[1].toLowerCase()) };
  const link = LINK.exec(words) ?? VERIFY_LINK.exec(words);
  if (link) return { kind: "record", id: link[2], host: link[1] === undefined ? null : new URL(link[1]).host };
  if (RECORD.test(words)) return digestOf(words) ?? { kind: "record", id: words, host: null };
  return recogniseDocument(utf8(text));
}

function recogniseDocument(data) {
  const trimmed = trimmedText(data);
  if (trimmed === null) return null;
  const version = VERSION.exec(trimmed.slice(-200))?.[1];
  const kind = DOCUMENTS.get(version) ?? documentBehind(trimmed);
  // White space around a document comes from editors and clipboards, and is not part of it.
  if (kind) return { kind, data: utf8(trimmed) };
  return isPolicy(data) ? { kind: "policy", data } : null;
}

// Documents end in their version, the last of their members; one that was changed may not.
function documentBehind(text) {
  if (!text.startsWith("{")) return undefined;
  try {
    return DOCUMENTS.get(decode(utf8(text)).v);
  } catch {
    return undefined;
  }
}

function trimmedText(data) {
  try {
    return textOfBytes(data, "").trim();
  } catch {
    return null;
  }
}

function isPolicy(data) {
  try {
    return parsePolicy(data).logs.length > 0;
  } catch (error) {
    if (error instanceof LedgerError) return false;
    throw error;
  }
}

// 43 characters may be a digest or a long id; whoever means the id gives the record's link.
function digestOf(text) {
  try {
    return { kind: "digest", digest: decodeBase64url(text, DIGEST_SIZE) };
  } catch {
    return null;
  }
}
