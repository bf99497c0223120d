// Checks in the browser that a log's larger size begins with its smaller one. Without this the server says it.

import { decodeBase64url } from "../kernel/canonical.js";
import { checkConsistency } from "../kernel/merkle.js";

const form = document.getElementById("consistency-form");
const result = document.getElementById("consistency-result");

const show = (kind, text) => {
  const note = document.createElement("p");
  note.className = `note ${kind}`;
  note.textContent = text;
  result.replaceChildren(note);
};

const check = async () => {
  const query = new URLSearchParams({ from: form.elements.from.value, to: form.elements.to.value });
  const answer = await fetch(`${form.dataset.proof}?${query}`);
  const told = await answer.json();
  if (!answer.ok) {
    show("bad", `${form.dataset.none} ${told.detail}`);
    return;
  }
  try {
    checkConsistency({
      first: BigInt(told.first.size),
      second: BigInt(told.second.size),
      firstRoot: decodeBase64url(told.first.root, 32),
      secondRoot: decodeBase64url(told.second.root, 32),
      proof: told.proof.map((step) => decodeBase64url(step, 32)),
    });
  } catch {
    show("bad", form.dataset.bad);
    return;
  }
  const values = { FIRST: told.first.size, SECOND: told.second.size, COUNT: told.proof.length };
  show("good", form.dataset.good.replace(/FIRST|SECOND|COUNT/g, (name) => values[name]));
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  check().catch((error) => show("bad", error.message));
});
