// Node's own client: `node client.mjs URL KEY FILE chunked|length` writes the answer to a batch.
import { createReadStream, statSync } from "node:fs";
import { request } from "node:http";

const [url, key, file, framing] = process.argv.slice(2);
const headers = { "x-api-key": key, "content-type": "application/x-ndjson" };
if (framing === "length") headers["content-length"] = statSync(file).size;
const asked = request(url, { method: "POST", headers }, (answer) => {
  answer.pipe(process.stdout);
  answer.on("end", () => {
    if (answer.complete && answer.statusCode === 200) return;
    console.error(`status ${answer.statusCode}${answer.complete ? "" : ", cut"}`);
    process.exitCode = 1;
  });
  answer.on("error", () => (process.exitCode = 1));
});
asked.on("error", (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
createReadStream(file).pipe(asked);
