// Gives ML-DSA-44 signatures to @noble/post-quantum.
// In: a JSON array of {publicKey, message, signature}, all hex. Out: a JSON array of "accepted" or "refused".
import { readFileSync } from "node:fs";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";

const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));

function judge(test) {
  try {
    return ml_dsa44.verify(bytes(test.signature), bytes(test.message), bytes(test.publicKey)) ? "accepted" : "refused";
  } catch (error) {
    return "refused: " + error.message;
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf-8")).map(judge)));
