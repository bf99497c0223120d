// Trust policies (C2SP tlog-policy), whose signatures a checkpoint must carry: ledger_service/proofs/policy.py.

import { equal, textOfBytes } from "./bytes.js";
import { checkSignature, parseCheckpoint } from "./checkpoint.js";
import { CouldNotCheckError, MalformedError, PolicyError } from "./errors.js";
import {
  ALG_COSIGNATURE,
  ALG_ED25519,
  ALG_MLDSA44,
  findSignature,
  isBy,
  parseNote,
  parseVkey,
} from "./note.js";

export const NO_QUORUM = "none";
export const MAX_POLICY_SIZE = 1 << 20;

const LOG_TYPES = [ALG_ED25519, ALG_MLDSA44];
const WITNESS_TYPES = [ALG_COSIGNATURE, ALG_MLDSA44];
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;
const THRESHOLD = /^[1-9][0-9]{0,8}$/;

// The policy that a file states, as { logs, witnesses, groups, quorum }; throws MalformedError. Names in anything but
// UTF-8, which Python's parser keeps as they are, are refused.
export function parsePolicy(data) {
  const text = textOfBytes(data, "The policy is not UTF-8.");
  if (data.length > MAX_POLICY_SIZE || CONTROL.test(text) || !text.endsWith("\n")) {
    throw new MalformedError(
      "The policy is too large, holds a control character or does not end in a newline.",
    );
  }
  const parser = new Parser();
  for (const line of text.split("\n")) {
    const words = line.replace(/^[ \t]+|[ \t]+$/g, "").split(/[ \t]+/);
    if (words[0] !== "" && !words[0].startsWith("#")) parser.add(words);
  }
  return parser.policy();
}

// The checkpoint in a note, once its signatures satisfy `policy`. Rejects with MalformedError; CouldNotCheckError when
// no known key of that log signed; SignatureError when a known key's signature does not verify; PolicyError when the
// quorum is not reached.
export async function checkPolicy(data, policy) {
  const note = parseNote(data);
  const checkpoint = parseCheckpoint(note.text);
  const keys = policy.logs.filter((key) => key.name === checkpoint.origin);
  if (!keys.length) throw new CouldNotCheckError(`The policy names no key of the log ${checkpoint.origin}.`);
  const signed = keys.filter((key) => findSignature(note, key) !== undefined);
  if (!signed.length) {
    throw new CouldNotCheckError("The checkpoint is not signed by a log key that the policy names.");
  }
  for (const key of signed) await checkSignature(note, key);
  const witnesses = policy.witnesses.filter((witness) => findSignature(note, witness.key) !== undefined);
  const cosigned = new Map();
  for (const { name, key } of witnesses) cosigned.set(name, (await checkSignature(note, key)) ?? 0n);
  checkQuorum(policy, new Set(cosigned.keys()));
  const known = [...signed, ...witnesses.map(({ key }) => key)];
  const unchecked = note.signatures.filter((line) => !known.some((key) => isBy(line, key)));
  return { checkpoint, note, logKey: signed[0], cosigned, unchecked };
}

function checkQuorum(policy, witnessed) {
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => witnessed.has(member)).length >= threshold) witnessed.add(name);
  }
  if (policy.quorum !== NO_QUORUM && !witnessed.has(policy.quorum)) {
    throw new PolicyError(`The checkpoint is not cosigned by the quorum ${policy.quorum}.`);
  }
}

class Parser {
  logs = [];
  witnesses = [];
  groups = [];
  quorum = null;
  names = new Set();
  grouped = new Set();

  add([first, ...rest]) {
    if (first === "log" && (rest.length === 1 || rest.length === 2)) {
      this.logs.push(parseKey(rest[0], LOG_TYPES, this.logs));
    } else if (first === "witness" && (rest.length === 2 || rest.length === 3)) {
      const others = this.witnesses.map(({ key }) => key);
      const key = parseKey(rest[1], WITNESS_TYPES, others);
      this.witnesses.push({ name: this.define(rest[0]), key });
    } else if (first === "group" && rest.length > 2) {
      this.addGroup(rest[0], rest[1], rest.slice(2));
    } else if (first === "quorum" && rest.length === 1 && this.quorum === null && this.isNamed(rest[0])) {
      this.quorum = rest[0];
    } else {
      throw new MalformedError("A line of the policy is not understood.");
    }
  }

  policy() {
    if (this.quorum === null) throw new MalformedError("The policy has no quorum line.");
    const { logs, witnesses, groups, quorum } = this;
    return { logs, witnesses, groups, quorum };
  }

  isNamed(name) {
    return name === NO_QUORUM || this.names.has(name);
  }

  define(name) {
    if (this.isNamed(name)) throw new MalformedError("The policy defines a name twice, or the name none.");
    this.names.add(name);
    return name;
  }

  addGroup(name, threshold, members) {
    // A name may be a member only once in the whole file, so that no witness counts in two ways.
    if (new Set(members).size !== members.length || !members.every((member) => this.names.has(member))) {
      throw new MalformedError("A group has a member that is doubled or not defined above it.");
    }
    if (members.some((member) => this.grouped.has(member))) {
      throw new MalformedError("A name is a member of two groups.");
    }
    for (const member of members) this.grouped.add(member);
    const words = new Map([["any", 1], ["all", members.length]]);
    const needed = words.get(threshold) ?? (THRESHOLD.test(threshold) ? Number(threshold) : 0);
    if (needed < 1 || needed > members.length) {
      throw new MalformedError("A group's threshold is not all, any or a number of its members.");
    }
    this.groups.push({ name: this.define(name), threshold: needed, members });
  }
}

function parseKey(text, allowed, others) {
  const key = parseVkey(text);
  if (!allowed.includes(key.alg)) {
    throw new MalformedError("A key of the policy is of a type that cannot do this.");
  }
  if (others.some((other) => equal(key.publicKey, other.publicKey))) {
    throw new MalformedError("The policy lists a public key twice.");
  }
  return key;
}
