// What is asked of this server, which keeps the record: never a file, nor anything of one.

import { MAX_EVIDENCE_SIZE } from "../kernel/evidence.js";

// A report as PDF holds evidence, the report on it, and its fonts.
const MOST_BYTES = 4 * MAX_EVIDENCE_SIZE;

// The server could not be reached, or answered with an error.
export class ServerError extends Error {}

// The evidence of a record that anyone may have, as bytes; null when there is no such record.
export const fetchEvidence = (id) => ask(`/v1/records/${id}/evidence`);

// What the server says of a record: stage, status, contracts; null when there is no such record.
export const fetchRecord = async (id) => parsed(await ask(`/v1/records/${id}`));

// The server's own verdict on a record of its own: only the id is sent.
export const fetchVerdict = async (id) =>
  parsed(
    await ask("/v1/verify", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ record: id }),
    }),
  );

// The server's signed report on evidence, as one of "pdf" and "json": for this alone the evidence itself is sent.
export const fetchReport = (evidence, format) =>
  ask(`/v1/verify/report?format=${format}&lang=${document.documentElement.lang.slice(0, 2)}`, {
    method: "POST",
    headers: { "Content-Type": "application/vnd.audit-ledger.evidence+json" },
    body: evidence,
  });

// Policy and trust file of a log of this server, as bytes; null when it keeps no such log.
export async function fetchTrust(origin) {
  const place = /\/logs\/([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(origin);
  if (place === null) return null;
  const [policy, trust] = await Promise.all(
    ["policy", "trust"].map((document) => ask(`/v1/logs/${place[1]}/${place[2]}/${document}`)),
  );
  return policy && trust && { policy, trust };
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "omit", ...options });
  } catch {
    throw new ServerError();
  }
  if (answer.status === 404) return null;
  if (!answer.ok) throw new ServerError(String(answer.status));
  const data = new Uint8Array(await answer.arrayBuffer());
  if (data.length > MOST_BYTES) throw new ServerError();
  return data;
}

const parsed = (data) => data && JSON.parse(new TextDecoder().decode(data));
