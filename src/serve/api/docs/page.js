// Shows /openapi.json and sends requests. All that is shown is set as text, never as markup.

const $ = (id) => document.getElementById(id);

/** Makes an element: properties, then children (elements or strings). */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Text in which `code` is marked with backquotes. */
function prose(text) {
  return text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

let api;

/** Follows a `$ref`; what stands beside it counts more. */
function resolve(node) {
  if (!node?.$ref) return node;
  const target = node.$ref.slice(2).split("/").reduce((at, name) => at[name], api);
  const { $ref, ...beside } = node;
  return { ...resolve(target), ...beside };
}

/** Methods that are shown; a path's others are named beside them. */
const SHOWN = ["get", "post"];
const isJson = (type) => type.startsWith("application/json");
const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

// --- The request -------------------------------------------------------------------------------

/** The examples of the request: `{ label, type, value }`. */
let examples = [];

function showRequest() {
  const pick = api.paths["/reg/"].post;
  for (const [type, content] of Object.entries(resolve(pick.requestBody).content)) {
    for (const example of Object.values(content.examples ?? {})) {
      examples.push({ label: example.summary, type, value: example.value });
    }
  }
  $("example").replaceChildren(
    ...examples.map(({ label, type }, at) =>
      element("option", { value: at }, isJson(type) ? label : `${label} (${type})`)),
  );
  $("example").onchange = fill;
  const types = Object.keys(resolve(pick.responses["200"]).content);
  $("accept").replaceChildren(
    element("option", { value: "*/*" }, "the same form"),
    ...types.map((type) => element("option", { value: type }, type)),
  );
  $("accept").parentElement.hidden = types.length < 2;
  fill();
}

function fill() {
  const { type, value } = examples[$("example").value];
  $("content-type").textContent = `Content-Type: ${type}`;
  $("body").value = pretty(value);
}

async function send() {
  const headers = { "content-type": examples[$("example").value].type, accept: $("accept").value };
  if ($("key").value) headers["x-api-key"] = $("key").value;
  $("send").disabled = true;
  const started = performance.now();
  try {
    const query = $("explain").checked ? "?explain=1" : "";
    const answer = await fetch(`reg/${query}`, { method: "POST", headers, body: $("body").value, credentials: "omit" });
    const text = await answer.text();
    showAnswer(answer, text, performance.now() - started);
  } catch {
    showStatus("bad", "No answer", "the server did not answer");
    $("bars").replaceChildren();
    $("text").hidden = true;
  } finally {
    $("send").disabled = false;
  }
}

function showStatus(kind, head, rest) {
  $("status").className = `hint ${kind}`;
  $("status").replaceChildren(element("b", {}, head), ` ${rest}`);
}

function showAnswer(answer, text, millis) {
  const meaning = resolve(api.paths["/reg/"].post.responses[answer.status])?.description ?? "";
  showStatus(answer.ok ? "good" : "bad", `${answer.status}`, `${meaning} · ${millis.toFixed(1)} ms`);
  let parsed = null;
  try {
    parsed = JSON.parse(text);
  } catch {
    // NDJSON and CSV are shown as they are.
  }
  const one = parsed?.body?.positive === undefined ? null : parsed.body;
  $("bars").replaceChildren(
    ...(one ? ["positive", "negative"].map((name) => meter(name, one[name])) : []),
    ...(one?.explanation ? [contributions(one.explanation)] : []),
  );
  // The text as it came: reading and writing a number again could change its digits.
  $("text").textContent = text;
  $("text").hidden = false;
}

function meter(name, value) {
  const about = api.components.schemas.Probabilities.properties[name].description;
  const label = element("span", { id: `label-${name}` }, element("b", {}, name), ` ${value}`);
  const bar = element("progress", { max: 1, value });
  bar.setAttribute("aria-labelledby", `label-${name}`);
  return element("div", { className: "meter" }, element("div", {}, label), bar, element("span", { className: "hint" }, about));
}

/** A bar per field, to the right if it adds, to the left if it takes. */
function contributions({ base, contributions, raw }) {
  const greatest = Math.max(...contributions.map(({ value }) => Math.abs(value)), Number.MIN_VALUE);
  const rows = contributions.map(({ field, value }) => {
    const bar = element("span", { className: value < 0 ? "takes" : "adds" });
    const share = (Math.abs(value) / greatest) * 50;
    bar.style.width = `${share}%`;
    bar.style.left = `${value < 0 ? 50 - share : 50}%`;
    return element("tr", {},
      element("th", { scope: "row" }, element("code", {}, field)),
      element("td", { className: "bar" }, bar),
      element("td", { className: "number" }, value.toFixed(4)));
  });
  const caption = `What each field adds: from the mean answer, ${base.toFixed(4)}, to this one, ${raw.toFixed(4)}`;
  return element("div", { className: "scroll" },
    element("table", { id: "contributions" }, element("caption", {}, caption), element("tbody", {}, ...rows)));
}

// --- The document ------------------------------------------------------------------------------

function showFields() {
  const { properties } = resolve(api.components.schemas.Request);
  const rows = Object.entries(properties).map(([name, property]) => {
    const kind = property.$ref ? resolve({ $ref: property.$ref }) : property;
    const takes = [kind.type ?? kind.anyOf?.map((one) => one.type)].flat(2).filter(Boolean).join(", ");
    const about = resolve(property).description ?? "";
    const more = kind.description === about ? "" : kind.description;
    return element("tr", {},
      element("th", { scope: "row" }, element("code", {}, name)),
      element("td", {}, ...prose(about)),
      element("td", {}, takes, ...(more ? [element("div", { className: "hint" }, ...prose(more))] : [])),
      element("td", {}, element("code", {}, pretty(resolve(property).examples?.[0] ?? ""))));
  });
  $("field-table").tBodies[0].replaceChildren(...rows);
}

function showRoutes() {
  const shown = [];
  for (const [path, methods] of Object.entries(api.paths)) {
    const others = Object.keys(methods).filter((method) => !SHOWN.includes(method));
    for (const method of SHOWN.filter((method) => methods[method])) {
      shown.push(route(path, method, methods[method], others));
    }
  }
  $("operations").replaceChildren(...shown);
}

function route(path, method, operation, others) {
  const needsKey = (operation.security ?? api.security).length > 0;
  const notes = [operation.summary, ...(needsKey ? [] : ["no key"])].join(" · ");
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const { description, content, headers } = resolve(response);
    const sample = Object.values(content ?? {}).map((one) => one.example ?? Object.values(one.examples ?? {})[0]?.value)[0];
    return element("tr", {},
      element("th", { scope: "row" }, element("code", {}, status)),
      element("td", {}, ...prose(description),
        ...Object.keys(headers ?? {}).flatMap((name) => [" ", element("code", {}, name)])),
      element("td", {}, ...(sample === undefined ? [] : [element("code", {}, typeof sample === "string" ? sample : JSON.stringify(sample))])));
  });
  return element("details", {},
    element("summary", {},
      element("b", {}, method.toUpperCase()), element("code", {}, path),
      element("span", { className: "hint" }, notes)),
    element("div", {},
      ...(operation.description ?? "").split("\n\n").filter(Boolean).map((text) => element("p", {}, ...prose(text))),
      element("div", { className: "scroll" }, element("table", {}, element("tbody", {}, ...rows))),
      element("p", { className: "hint" }, `Also: ${others.join(", ").toUpperCase()}`)));
}

function showAbout() {
  document.title = `${api.info.title} ${api.info.version}`;
  $("version").textContent = api.info.version;
  $("summary").textContent = api.info.summary;
  $("description").replaceChildren(
    ...api.info.description.split("\n\n").map((text) => element("p", {}, ...prose(text))));
}

$("form").onsubmit = (event) => {
  event.preventDefault();
  send();
};
$("form").onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    send();
  }
};

try {
  api = await (await fetch("openapi.json", { credentials: "omit" })).json();
  showAbout();
  showRequest();
  showFields();
  showRoutes();
} catch {
  $("broken").textContent = "openapi.json could not be read; reload the page to try again.";
  $("broken").hidden = false;
}
