// The page's words in the reader's language, as the server wrote them into the page, and sentences of the kernel in them.

const { words, sentences, patterns } = JSON.parse(document.getElementById("verify-words").textContent);
const PATTERNS = patterns.map(([pattern, message]) => [new RegExp(`^(?:${pattern})$`, "s"), message]);
// What hides, or turns the text around it: shown by its number, so that nothing in a record can dress up the page.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

// What people call a code; the code itself where there is no word for it.
export const word = (kind, code) => words[kind]?.[code] ?? String(code);

// A sentence of the page with the values in the places that it names, %(name)s.
export const say = (name, values = {}) =>
  words.page[name].replace(/%\(([a-z]+)\)s/g, (_, place) => visible(String(values[place])));

// A sentence of the kernel in the reader's language; itself when it is not known.
export function sentence(text) {
  for (const [pattern, message] of PATTERNS) {
    const found = pattern.exec(text);
    if (found) return message.replace(/%\(([a-z]+)\)s/g, (_, place) => visible(found.groups[place]));
  }
  return visible(sentences[text] ?? text);
}

export const visible = (text) =>
  text.replace(HIDDEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const when = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export const number = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
