// The page that verifies: one place for whatever somebody has, what is still missing, and the answer.

import { formatVerdict } from "../kernel/verify.js";
import { LedgerError } from "../kernel/errors.js";
import { digestFile } from "./digest.js";
import { judge } from "./judge.js";
import { recogniseFile, recogniseText } from "./recognise.js";
import { fetchEvidence, fetchRecord, fetchReport, fetchVerdict, ServerError } from "./server.js";
import { drawAnswer, drawReportOffer, drawServerWord, element } from "./view.js";
import { number, say, translate, visible } from "./words.js";

const [app, form, dropZone, chooser, paste, list, progress, message, answer] = [
  "verify-app", "verify-form", "verify-drop", "verify-files", "verify-paste", "verify-parts", "verify-progress",
  "verify-message", "verify-answer",
].map((id) => document.getElementById(id));
const bar = progress.querySelector("progress");

// What was brought, by kind: { name, data } for documents, { name, digest } for a file or a digest.
const parts = new Map();
// Aborts the hashing that goes on, if any.
let hashing = null;
// What a status of the server means to who asked for a report.
const REFUSALS = { 413: "report_large", 422: "report_large", 429: "report_busy", 503: "report_busy" };
const REPORT_TYPES = { pdf: "application/pdf", json: "application/json" };
// Counts questions, so that a slow answer to an old one is not shown.
let asked = 0;

const tell = (text, kind = "") => {
  message.textContent = text;
  message.className = kind ? `note ${kind}` : "";
};

// Signed documents that say something of a record, and prove nothing of it.
const NO_PROOF = new Map([["certificate", "is_certificate"], ["report", "is_report"]]);
const KEPT_APART = { receipt: "evidence", evidence: "receipt", digest: "file", file: "digest" };

function keep(kind, part) {
  const paper = parts.get("evidence")?.paper;
  parts.delete(KEPT_APART[kind]);
  parts.set(kind, part);
  if (paper && (kind === "evidence" || kind === "receipt")) keep("file", paper);
}

// Ends what goes on and takes the last answer away, so that none stands beside what it was not about.
function begin() {
  const running = hashing;
  hashing = null;
  running?.abort();
  answer.replaceChildren();
  asked += 1;
  return asked;
}

async function takeFiles(files) {
  const mine = begin();
  const papers = [];
  for (const file of files) {
    const { kind, data, inside } = await recogniseFile(file);
    if (mine !== asked) return undefined;
    if (NO_PROOF.has(kind)) return refuse(say(NO_PROOF.get(kind)));
    if (kind === "file") {
      const digest = await hash(file);
      if (digest === null) return undefined;
      keepFile({ name: file.name, digest }, inside, papers);
    } else {
      keep(kind, { name: file.name, data });
    }
  }
  return proceed();
}

// A file with evidence inside is a paper, judged by that evidence while no other is at hand. Beside other evidence, in
// whatever order both were brought, it is the file that this should be about, so that no forged one passes unseen.
function keepFile(file, inside, papers) {
  const evidence = parts.get("evidence");
  const alone = !parts.has("receipt") && (!evidence || (evidence.paper && !papers.includes(evidence)));
  if (!inside || !alone) return keep("file", file);
  const part = { name: say("inside", { name: file.name }), data: inside, paper: file };
  papers.push(part);
  parts.delete("evidence");
  return keep("evidence", part);
}

async function takeText(text) {
  const mine = begin();
  // The button pressed with nothing written: what was brought before is asked about again.
  if (!text.trim() && parts.size) return proceed();
  const found = recogniseText(text);
  if (found === null) return refuse(say(text.trim() ? "not_recognised" : "nothing"));
  if (NO_PROOF.has(found.kind)) return refuse(say(NO_PROOF.get(found.kind)));
  if (found.kind === "record") return takeRecord(found, mine);
  keep(found.kind, { name: say("pasted"), ...found });
  return proceed();
}

async function takeRecord({ id, host }, mine) {
  if (host !== null && host !== location.host) return refuse(say("other_server", { host }));
  const data = await fetchEvidence(id);
  if (mine !== asked) return undefined;
  if (data === null) return refuse(say("no_record", { id }));
  keep("evidence", { name: say("record_here", { id }), data, id });
  return proceed();
}

function refuse(text) {
  drawParts();
  answer.replaceChildren();
  tell(text, "bad");
}

// The file's digest; null when it was cancelled or could not be read.
async function hash(file) {
  const controller = new AbortController();
  hashing = controller;
  progress.hidden = false;
  const onProgress = (done) => {
    bar.value = file.size ? done / file.size : 1;
    bar.textContent = progress.querySelector("output").textContent = say("progress", {
      name: file.name,
      done: number(Math.floor(done / 1e6)),
      size: number(Math.ceil(file.size / 1e6)),
    });
  };
  onProgress(0);
  tell(say("hashing", { name: file.name }));
  try {
    return await digestFile(file, { onProgress, signal: controller.signal });
  } catch (error) {
    // A file that another one took the place of ends in silence.
    if (hashing === controller) {
      refuse(controller.signal.aborted ? say("cancelled") : say("unreadable", { reason: error.message }));
    }
    return null;
  } finally {
    if (hashing === controller || hashing === null) progress.hidden = true;
  }
}

// Says what is missing, or gives the answer.
async function proceed() {
  const mine = asked;
  drawParts();
  const missing = missingPart();
  if (missing) return tell(say(missing), "wait");
  tell(say("checking"));
  const data = (kind) => parts.get(kind)?.data;
  const found = await judge(
    {
      evidence: data("evidence"),
      receipt: data("receipt"),
      policy: data("policy"),
      trust: data("trust"),
      digest: (parts.get("file") ?? parts.get("digest"))?.digest,
    },
    Math.floor(Date.now() / 1000),
  );
  if (mine !== asked) return undefined;
  tell("");
  found.paper = Boolean(parts.get("evidence")?.paper);
  answer.replaceChildren(...drawAnswer(found), actions(found), drawReportOffer((format, status) => report(found, format, status)));
  answer.querySelector("#answer-line").focus();
  if (found.verdict.record !== null) await askServer(found.verdict.record.id, mine);
  return undefined;
}

function missingPart() {
  const evidence = parts.has("evidence") || parts.has("receipt");
  if (parts.has("policy") !== parts.has("trust")) return parts.has("policy") ? "need_trust" : "need_policy";
  if (evidence) return null;
  if (parts.has("file") || parts.has("digest")) return "need_evidence";
  return parts.size ? "need_anything" : "nothing";
}

// What the server says now is shown beside the verdict. That it cannot be asked changes nothing.
async function askServer(id, mine) {
  try {
    const [record, verdict] = await Promise.all([fetchRecord(id), fetchVerdict(id)]);
    if (record === null || verdict === null || mine !== asked) return;
    const links = answer.querySelector(".links");
    links.prepend(element("a", { href: `/records/${id}` }, say("permanent")), " · ");
    links.before(drawServerWord({ record, verdict }));
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
  }
}

function actions({ verdict, evidence }) {
  return element(
    "p",
    { class: "links fine" },
    download("verdict.json", formatVerdict(verdict), say("save_verdict")),
    " · ",
    download("evidence.json", evidence, say("save_evidence")),
  );
}

// The server is asked only now: until then it knows nothing of the evidence.
async function report({ evidence }, format, status) {
  const mine = asked;
  status.replaceChildren(say("report_asking"));
  try {
    const data = await fetchReport(evidence, format);
    if (mine !== asked) return;
    const name = `verification.${format}`;
    const link = download(name, data, say("report_ready", { name }), REPORT_TYPES[format]);
    status.replaceChildren(link);
    link.focus();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    status.replaceChildren(say(REFUSALS[error.message] ?? "unreachable"));
  }
}

function download(name, data, text, type = "application/json") {
  const url = URL.createObjectURL(new Blob([data], { type }));
  return element("a", { href: url, download: name }, text);
}

function drawParts() {
  list.replaceChildren(
    ...[...parts].map(([kind, { name }]) => {
      const remove = element("button", { type: "button", class: "secondary outline small" }, say("remove"));
      remove.setAttribute("aria-label", say("remove_part", { part: say(kind), name }));
      remove.addEventListener("click", () => {
        begin();
        parts.delete(kind);
        chooser.focus();
        run(proceed());
      });
      return element("li", {}, element("strong", {}, say(kind)), ` ${visible(name)} `, remove);
    }),
  );
}

// Whatever fails is told: a promise without a listener would leave the page waiting.
function run(work) {
  work.catch((error) => {
    if (error instanceof ServerError) refuse(say("unreachable"));
    else if (error instanceof LedgerError) refuse(`${say("refused")} ${translate(error.message) ?? visible(error.message)}`);
    else {
      refuse(say("defect"));
      throw error;
    }
  });
}

function listen() {
  chooser.addEventListener("change", () => {
    // A copy: emptying the field, so that the same file can be chosen again, empties its list.
    const files = [...chooser.files];
    chooser.value = "";
    run(takeFiles(files));
  });
  document.getElementById("verify-go").addEventListener("click", () => run(takeText(paste.value)));
  document.getElementById("verify-cancel").addEventListener("click", () => hashing?.abort());
  // A file that misses the zone would otherwise be opened in the place of this page.
  for (const event of ["dragover", "drop"]) document.addEventListener(event, (dropped) => dropped.preventDefault());
  dropZone.addEventListener("dragover", () => dropZone.classList.add("over"));
  dropZone.addEventListener("dragleave", () => dropZone.classList.remove("over"));
  document.addEventListener("drop", ({ dataTransfer }) => {
    dropZone.classList.remove("over");
    run(dataTransfer.files.length ? takeFiles([...dataTransfer.files]) : takeText(dataTransfer.getData("text")));
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) {
      event.preventDefault();
      run(takeFiles([...event.clipboardData.files]));
    }
  });
}

listen();
app.hidden = false;
form.hidden = true;
if (paste.value.trim()) run(takeText(paste.value));
