// The certificate of an erasure, what was destroyed and when: ledger_service/proofs/erasure.py.

import { concat, utf8 } from "./bytes.js";
import { decode, encode, parseTime } from "./canonical.js";
import { ORGANIZATION, parsePointer } from "./entry.js";
import { CouldNotCheckError, MalformedError } from "./errors.js";
import { checkEd25519Signature, keyReference } from "./note.js";
import { bytesOf, integerOf, listOf, objectOf, textOf } from "./shapes.js";
import { REASON, STATUS_KEY, statusKeyName } from "./status.js";

export const CERTIFICATE_VERSION = "audit-ledger/erasure-certificate/v1";

const LABEL = utf8(`${CERTIFICATE_VERSION}\0`);
const PAGES = ["overwritten", "pending", "vacuumed"];
const MEMBERS = [
  "v", "org", "reason", "erased", "unrecoverable", "records", "entries", "pages", "signatures",
];

// The certificate in `data`, none of its signatures checked; throws MalformedError.
export function parseCertificate(data) {
  const members = objectOf(decode(data), MEMBERS, "The certificate");
  if (members.v !== CERTIFICATE_VERSION) {
    throw new MalformedError("The certificate is of an unknown version.");
  }
  const certificate = {
    org: textOf(members.org, "org"),
    reason: textOf(members.reason, "reason"),
    erased: parseTime(textOf(members.erased, "erased")),
    unrecoverable: parseTime(textOf(members.unrecoverable, "unrecoverable")),
    records: integerOf(members.records, "records", { atLeast: 1 }),
    entries: listOf(members.entries, "entries").map(parsePointer),
    pages: textOf(members.pages, "pages"),
    signatures: listOf(members.signatures, "signatures").map(parseSignature),
  };
  checkMembers(certificate);
  const { signatures, ...signed } = members;
  return { ...certificate, message: concat(LABEL, encode(signed)) };
}

// The certificate, once the status key of each of its logs, which `keys` must hold, has signed it. Rejects with
// MalformedError, CouldNotCheckError for a key that is not known, SignatureError.
export async function checkCertificate(data, keys) {
  const certificate = parseCertificate(data);
  for (const [at, entry] of certificate.entries.entries()) {
    const signature = certificate.signatures[at];
    const name = statusKeyName(entry.log);
    const key = keys.find((each) => each.name === name && keyReference(each) === signature.key);
    if (key === undefined) throw new CouldNotCheckError("The certificate is signed by an unknown key.");
    await checkEd25519Signature(certificate.message, signature.sig, key);
  }
  return certificate;
}

function checkMembers(certificate) {
  textOf(certificate.org, "org", ORGANIZATION);
  textOf(certificate.reason, "reason", REASON);
  if (!PAGES.includes(certificate.pages) || certificate.unrecoverable < certificate.erased) {
    throw new MalformedError("The certificate's pages or times are not in their form.");
  }
  const logs = certificate.entries.map(({ log }) => log);
  if (!logs.length || logs.some((log, at) => at > 0 && logs[at - 1] >= log)) {
    throw new MalformedError("The certificate does not name its logs, in order, each once.");
  }
  if (certificate.signatures.length !== certificate.entries.length) {
    throw new MalformedError("The certificate lacks a signature.");
  }
}

function parseSignature(value) {
  const members = objectOf(value, ["key", "sig"], "A signature");
  return { key: textOf(members.key, "key", STATUS_KEY), sig: bytesOf(members.sig, "sig", 64) };
}
