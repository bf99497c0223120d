// What is inside a PDF: its embedded files (ISO 32000-2, 7.11.4), as papers of this ledger carry their evidence.
//
// No more of the format is read than our own papers need. A file that some other program wrote anew, or hides its parts,
// shows nothing here, and is then a file like any other.

const HEADER = "%PDF-";
const MARK = "/EmbeddedFile";
// What stands between the mark and the bytes of the file.
const REST = /^[^]{0,500}?\/Length (\d{1,8})[^]{0,100}?>>\s{0,4}stream\r?\n/;
const LONGEST_REST = 640;
// Whoever made the file must not decide how long this page works on it.
const MOST_FILES = 16;
const DEFLATED = /\/Filter\s*\/FlateDecode\b/;

// The embedded files of a PDF as bytes, in their order, those of more than `most` bytes left out; none for other files.
export async function filesInside(data, most) {
  // One character for each byte, so that places in the text are places in the file.
  const text = new TextDecoder("latin1").decode(data);
  if (!text.startsWith(HEADER)) return [];
  const found = [];
  let at = text.indexOf(MARK);
  for (let seen = 0; at >= 0 && seen < MOST_FILES; seen += 1) {
    const rest = REST.exec(text.slice(at, at + LONGEST_REST));
    if (rest) {
      const start = at + rest[0].length;
      const stored = data.subarray(start, start + Number(rest[1]));
      const file = DEFLATED.test(rest[0]) ? await inflate(stored, most) : stored;
      if (file !== null && file.length <= most) found.push(file);
    }
    at = text.indexOf(MARK, at + MARK.length);
  }
  return found;
}

// Null for what cannot be inflated, or grows beyond `most` bytes.
async function inflate(stored, most) {
  const file = new Uint8Array(most);
  let size = 0;
  try {
    for await (const chunk of chunks(new Blob([stored]).stream().pipeThrough(new DecompressionStream("deflate")))) {
      if (size + chunk.length > most) return null;
      file.set(chunk, size);
      size += chunk.length;
    }
  } catch {
    return null;
  }
  return file.slice(0, size);
}

// Not every browser iterates over a stream by itself.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
