// Gives checkpoints and inclusion proofs to sigstore's verifier (npm @sigstore/verify).
// In: a JSON array of {origin, publicKey (hex of 32 bytes), checkpoint, index, entry (hex), hashes: [hex]}.
// Out: a JSON array with "accepted" or the verifier's reason for refusing.
import { createPublicKey } from "node:crypto";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const root = dirname(require.resolve("@sigstore/verify/package.json"));
const { verifyCheckpoint } = require(join(root, "dist/tlog/checkpoint.js"));
const { verifyMerkleInclusion } = require(join(root, "dist/tlog/merkle.js"));
const { createHash } = await import("node:crypto");

// The DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410).
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

function judge(test) {
  const key = Buffer.from(test.publicKey, "hex");
  const keyId = createHash("sha256")
    .update(Buffer.concat([Buffer.from(test.origin + "\n\x01", "latin1"), key]))
    .digest();
  const log = {
    logID: keyId,
    baseURL: "https://" + test.origin,
    publicKey: createPublicKey({ key: Buffer.concat([SPKI, key]), format: "der", type: "spki" }),
  };
  const entry = {
    canonicalizedBody: Buffer.from(test.entry, "hex"),
    inclusionProof: {
      logIndex: String(test.index),
      hashes: test.hashes.map((hash) => Buffer.from(hash, "hex")),
      checkpoint: { envelope: test.checkpoint },
    },
  };
  try {
    verifyMerkleInclusion(entry, verifyCheckpoint(entry, [log]));
    return "accepted";
  } catch (error) {
    return "refused: " + error.message;
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf-8")).map(judge)));
