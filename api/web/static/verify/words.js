// The page's words in the reader's language, as the server wrote them into the page, and sentences of the kernel in them.

const told = JSON.parse(document.getElementById("verify-words").textContent);
const { words, codes, joint } = told;
const SENTENCES = new Map(Object.entries(told.sentences));
const PATTERNS = told.patterns.map(([pattern, message]) => [new RegExp(`^(?:${pattern})$`, "s"), message]);
// How many sentences may stand in or behind one another: what a stranger wrote must not keep us busy.
const MOST = 6;
// What hides, or turns the text around it: shown by its number, so that nothing in a record can dress up the page.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

// What people call a code; the code itself where there is no word for it.
export const word = (kind, code) => (Object.hasOwn(words[kind] ?? {}, code) ? words[kind][code] : String(code));

// A message with the values in the places that it names, %(name)s.
const fill = (message, values) => message.replace(/%\(([a-z]+)\)s/g, (_, place) => values[place]);

// A sentence of the page with the values in the places that it names.
export const say = (name, values = {}) =>
  fill(words.page[name], Object.fromEntries(Object.entries(values).map(([place, value]) => [place, visible(String(value))])));

// A sentence of the kernel, or several, in the reader's language; null when not all of it is known.
// By the rules of api/web/sentences.py.
export const translate = (text) => translateAny(text, MOST);

function translateAny(text, left) {
  if (left === 0) return null;
  return translateOne(text, left - 1) ?? translateSeveral(text, left - 1);
}

function translateOne(text, left) {
  if (SENTENCES.has(text)) return SENTENCES.get(text);
  for (const [pattern, message] of PATTERNS) {
    const found = pattern.exec(text);
    if (!found) continue;
    const values = Object.entries(found.groups ?? {}).map(([place, value]) => [place, valueOf(place, value, left)]);
    if (values.every(([, value]) => value !== null)) return fill(message, Object.fromEntries(values));
  }
  return null;
}

function valueOf(place, text, left) {
  if (place === "clause") return translateAny(text, left);
  if (Object.hasOwn(codes, place)) return visible(word(codes[place], text));
  return (place === "thing" && SENTENCES.get(text)) || visible(text);
}

// A first sentence and those behind it, wherever the first one may end.
function translateSeveral(text, left) {
  for (let end = text.indexOf(". "); end >= 0; end = text.indexOf(". ", end + 1)) {
    const first = translateOne(text.slice(0, end + 1), left);
    const rest = first === null ? null : translateAny(text.slice(end + 2), left);
    if (rest !== null) return fill(joint, { first, rest });
  }
  return null;
}

export const visible = (text) =>
  text.replace(HIDDEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const when = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export const number = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
