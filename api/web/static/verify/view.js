// Draws the answer. Everything that came from outside goes in as text, never as markup.

import { encodeText } from "../kernel/canonical.js";
import { peopleWords } from "../kernel/verdict.js";
import { number, say, translate, visible, when, word } from "./words.js";

const MARKS = { Genuine: "✓", "Not genuine": "✕", "Cannot tell": "?" };
const CAUSE = /^Step (\d) \(.*?\) (?:failed|could not be checked): (.*)$/s;
const OTHER_FILE = "The file is not the one that the record is about.";
const KIND_STEP = 8;

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A sentence of the kernel in the reader's language, or, marked as English, as it came.
const said = (text) => translate(text) ?? element("span", { lang: "en" }, visible(text));

const kebab = (text) => text.toLowerCase().replaceAll(" ", "-");

// The verdict with its cause, what it is about, the steps folded, and what is not proven.
export function drawAnswer({ verdict, source, fingerprints, freshStatus, paper }) {
  return [
    banner(verdict),
    ...notes(verdict, { freshStatus, paper }),
    trustNote(source, fingerprints),
    ...about(verdict),
    steps(verdict),
    notProven(verdict),
  ];
}

function banner(verdict) {
  const people = peopleWords(verdict.result);
  const cause = CAUSE.exec(verdict.reason);
  const mark = element("p", { class: "mark", "aria-hidden": "true" }, MARKS[people]);
  const lines = [
    element("h2", { id: "answer-line", tabindex: "-1" }, word("people", people)),
    element("p", { class: "cause" }, `${word("result", verdict.result)} ${word("next", verdict.result)}`),
  ];
  if (cause) {
    const { number: place, outcome } = verdict.steps[cause[1] - 1];
    const check = `${word("step", place)} (${word("outcome", outcome)}): `;
    lines.push(element("p", { class: "cause" }, check, said(cause[2])));
  }
  const checked = say("checked_here", { time: when(verdict.checkedAt) });
  // What was shown belongs to the entry only where no check failed.
  const scope = verdict.result === "invalid" ? "" : word("scope", verdict.scope);
  lines.push(element("p", { class: "fine" }, `${checked} ${scope}`));
  return element(
    "section",
    { class: `verdict people-${kebab(people)}`, "aria-labelledby": "answer-line" },
    mark,
    element("div", {}, ...lines),
  );
}

function notes(verdict, { freshStatus, paper }) {
  const found = [];
  if (paper) found.push(say("paper"));
  if (verdict.steps[KIND_STEP - 1].detail === OTHER_FILE) found.push(say("other_file"));
  if (freshStatus) found.push(say("fresh_status"));
  return found.map((text) => element("p", { class: "note wait" }, text));
}

function trustNote(source, fingerprints) {
  const kind = { own: "good", server: "wait", nobody: "bad" }[source];
  const note = element("div", { class: `note ${kind}` }, element("p", {}, say(`trust_${source}`)));
  if (source !== "nobody") {
    const marks = ["policy", "trust"].map((name) =>
      element("li", {}, `${say(name)}: `, element("code", { class: "hash" }, fingerprints[name])),
    );
    note.append(element("details", {}, element("summary", {}, say("fingerprints")), element("ul", {}, ...marks)));
  }
  return note;
}

function about({ record, interval }) {
  if (record === null) return [];
  const facts = element(
    "dl",
    { class: "facts" },
    fact(say("kind"), word("kind", record.kind)),
    fact(say("issuer"), visible(record.issuer ?? say("unknown_issuer"))),
    fact(say("accepted"), record.accepted.replace("T", " ").replace("Z", " UTC")),
    fact(say("place"), say("entry", { index: number(record.index) })),
    wide(fact(say("log"), element("code", { class: "hash" }, record.log))),
  );
  if (interval !== null) {
    const after = interval.after === null ? say("no_lower_bound") : when(interval.after);
    facts.append(
      wide(
        fact(
          say("interval"),
          say("between", { after, before: when(interval.before), grade: word("grade", interval.grade) }),
        ),
      ),
    );
  }
  const section = element("section", { "aria-labelledby": "answer-about" });
  section.append(element("h3", { id: "answer-about" }, say("about")), facts, ...fields(record));
  return [section];
}

function wide(made) {
  made.classList.add("wide");
  return made;
}

const fact = (name, ...value) => element("div", {}, element("dt", {}, name), element("dd", {}, ...value));

function fields({ public: open, fields: shown }) {
  const sorted = [...Object.entries(open), ...Object.entries(shown)].sort(([left], [right]) => (left < right ? -1 : 1));
  const rows = sorted.map(([name, value]) => {
    const text = visible(typeof value === "string" ? value : encodeText(value));
    const head = element("th", { scope: "row" }, element("code", {}, name));
    return element("tr", {}, head, element("td", {}, text));
  });
  return rows.length ? [element("table", { class: "pairs" }, element("tbody", {}, ...rows))] : [];
}

const badge = (outcome) => element("span", { class: `badge outcome-${kebab(outcome)}` }, word("outcome", outcome));

function steps(verdict) {
  const items = verdict.steps.map(({ number: place, outcome, detail }) => {
    return element(
      "li",
      { class: `outcome-${kebab(outcome)}` },
      element("p", { class: "line" }, element("strong", {}, word("step", place)), " ", badge(outcome)),
      element("p", { class: "fine" }, word("meaning", place)),
      element("p", { class: "fine detail" }, said(detail)),
    );
  });
  const list = element("ol", {}, ...items);
  return element("details", { class: "steps" }, element("summary", {}, say("steps")), list);
}

function notProven({ notProven: sentences }) {
  const items = sentences.map((text) => element("li", {}, said(text)));
  return element("details", {}, element("summary", {}, say("not_proven")), element("ul", {}, ...items));
}

// Offers the server's signed report; `onAsk(format, status)` is told where to say what becomes of it.
export function drawReportOffer(onAsk) {
  const status = element("p", { role: "status" });
  const buttons = ["pdf", "json"].map((format) => {
    const button = element("button", { type: "button", class: "secondary outline small" }, say(`report_${format}`));
    button.addEventListener("click", () => onAsk(format, status));
    return button;
  });
  const section = element("section", { "aria-labelledby": "report-offer" });
  section.append(
    element("h3", { id: "report-offer" }, say("report")),
    element("p", { class: "fine" }, say("report_sends")),
    element("p", { class: "actions" }, ...buttons),
    status,
  );
  return section;
}

// What the server says of the record now: its word, beside the verdict and never part of it.
export function drawServerWord({ record, verdict }) {
  const anchoring = verdict.steps.find(({ number: place }) => place === 6);
  const facts = element(
    "dl",
    { class: "facts" },
    fact(say("status"), word("status", record.status)),
    fact(say("stage"), word("stage", record.stage)),
    fact(
      say("anchor"),
      badge(anchoring.outcome),
      " ",
      element("span", { class: "fine" }, said(anchoring.detail)),
    ),
  );
  const section = element("section", { "aria-labelledby": "server-word" });
  section.append(
    element("h3", { id: "server-word" }, say("server_says")),
    element("p", { class: "fine" }, say("server_word")),
    facts,
  );
  return section;
}
