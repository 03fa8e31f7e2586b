// Starts GraphiQL in the page of gateway/http/graphiql.py and lends each request the API key.
// Settings are data attributes of the root element: data-endpoint and data-demo-key.

import { answers, subscribes } from "./events.js";
import { linkTo, prepare, sharedIn } from "./tabs.js";
import { lookUp } from "./workspace.js";

const ENTER_A_KEY = "Enter an API key above. Make one with: casegraph keys create";
const REMEMBERED_KEY = "casegraph.key";
const NOTICES = {
  INTROSPECTION_DISABLED:
    "This server does not show its schema: there is no documentation and no completion here. " +
    "Operations run.",
  QUERY_NOT_IN_SAFELIST: "This server executes only the documents that it was started with.",
};

const root = document.getElementById("graphiql");
const field = document.getElementById("key");
const shown = document.getElementById("show-key");
const notice = document.getElementById("notice");
const place = document.getElementById("workspace");
const share = document.getElementById("share");
const { endpoint, demoKey = "" } = root.dataset;

function tell(text) {
  notice.textContent = text;
  notice.hidden = text === "";
}

// Shaped like an answer of the server, so that GraphiQL shows it where it shows any other.
function refuse(message, status = 401) {
  tell(message);
  return Response.json({ errors: [{ message }] }, { status });
}

// A key as people paste it, with or without the name of the scheme or of the header.
function typedKey() {
  return field.value.trim().replace(/^(authorization:)?\s*(bearer\s+)?/i, "");
}

// Stands in for fetch. A header typed into GraphiQL's own Headers pane wins over the field.
async function send(url, request) {
  const headers = new Headers(request.headers);
  const key = typedKey();
  if (!headers.has("Authorization")) {
    if (key === "") return refuse(ENTER_A_KEY);
    if (!/^[\x21-\x7e]+$/.test(key)) return refuse(`This is not an API key. ${ENTER_A_KEY}`);
    headers.set("Authorization", `Bearer ${key}`);
  }
  let answer;
  try {
    answer = await fetch(url, { ...request, headers });
  } catch {
    return refuse("The server does not answer. Is it still running?", 503);
  }
  tell(await noticeOf(answer));
  return answer;
}

// What to tell above an answer; nothing above most of them.
async function noticeOf(answer) {
  if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) return "";
  if (answer.status === 401) return `The server refused this API key. ${ENTER_A_KEY}`;
  if (answer.status === 429) {
    const seconds = Number(answer.headers.get("Retry-After")) || 60;
    return `This API key has used up its calls. Try again in ${seconds} s.`;
  }
  if (answer.status >= 500) return "The server cannot answer now. The result says why.";
  const { errors = [] } = await answer
    .clone()
    .json()
    .catch(() => ({}));
  const codes = errors.map((error) => error.extensions?.code);
  return NOTICES[codes.find((code) => code in NOTICES)] ?? "";
}

let page = ReactDOM.createRoot(root);
const plugins = [GraphiQLPluginExplorer.explorerPlugin()];

function fetcherWith(others) {
  return (params, options) =>
    subscribes(options?.documentAST, params.operationName)
      ? answers(send, endpoint, params)
      : others(params, options);
}

// GraphiQL reads the schema again when it is given a new fetcher.
function show() {
  page.render(
    React.createElement(
      GraphiQL,
      {
        fetcher: fetcherWith(
          GraphiQL.createFetcher({ url: endpoint, fetch: send, enableIncrementalDelivery: false }),
        ),
        defaultEditorToolsVisibility: "variables",
        plugins,
      },
      React.createElement(GraphiQL.Logo, null, "casegraph"),
    ),
  );
}

// Without a key nothing can be asked; the notice comes when somebody runs an operation.
const nothing = () => Promise.reject(new Error("There is no key."));

// Learns whose key it is, and gives the examples values of that workspace.
async function begin(shared = null) {
  const { viewer, found } = await lookUp(endpoint, typedKey() === "" ? nothing : send);
  place.textContent = viewer ? viewer.workspace : "";
  place.dataset.mode = viewer ? viewer.mode.toLowerCase() : "";
  if (prepare(found, shared) && root.querySelector(".graphiql-container")) {
    page.unmount(); // it would not look at the stored tabs again
    page = ReactDOM.createRoot(root);
  }
  show();
}

// sessionStorage belongs to this tab and ends with it. The demo key stays out of it, because
// the next demo has another one.
field.value = sessionStorage.getItem(REMEMBERED_KEY) ?? demoKey;
field.addEventListener("input", () => {
  const key = typedKey();
  if (key === "") sessionStorage.removeItem(REMEMBERED_KEY);
  else sessionStorage.setItem(REMEMBERED_KEY, key);
});
field.addEventListener("change", () => begin());
shown.addEventListener("change", () => {
  field.type = shown.checked ? "text" : "password";
});

share.addEventListener("click", async () => {
  const link = linkTo(location);
  try {
    await navigator.clipboard.writeText(link);
    tell("The link to this operation is copied. It does not hold the key.");
  } catch {
    history.replaceState(null, "", link);
    tell("The page's address is now the link to this operation. It does not hold the key.");
  }
});

// GraphiQL promises Ctrl K everywhere, and listens to Command K only.
document.addEventListener(
  "keydown",
  (event) => {
    if (!event.ctrlKey || event.metaKey || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    event.stopPropagation();
    root.querySelector("button[aria-label='Show Documentation Explorer']")?.click();
    requestAnimationFrame(() => root.querySelector(".graphiql-doc-explorer-search input")?.focus());
  },
  true,
);

begin(sharedIn(location));
