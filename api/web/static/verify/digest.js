// The SHA-256 of a file of any size, found in a worker; nothing of the file leaves the browser.

// Resolves with the 32 bytes. `onProgress` is told how many bytes are done; aborting `signal` ends the worker at once
// and rejects with the signal's reason. Rejects with an Error when the file cannot be read.
export function digestFile(file, { onProgress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("digest_worker.js", import.meta.url), { type: "module" });
    const abort = () => finish(reject, signal.reason);
    const finish = (settle, value) => {
      worker.terminate();
      signal?.removeEventListener("abort", abort);
      settle(value);
    };
    worker.onerror = (event) => finish(reject, new Error(event.message || "The hashing script did not start."));
    worker.onmessage = ({ data }) => {
      if (data.digest) finish(resolve, data.digest);
      else if (data.failed) finish(reject, new Error(data.failed));
      else onProgress(data.done);
    };
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    worker.postMessage(file);
  });
}
