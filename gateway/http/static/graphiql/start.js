// Starts GraphiQL in the page of gateway/http/graphiql.py and lends each request the API key.
// Settings are data attributes of the root element: data-endpoint and data-demo-key.

import { examples } from "./examples.js";

const ENTER_A_KEY = "Enter an API key above. Make one with: casegraph keys create";
const REMEMBERED_KEY = "casegraph.key";

const root = document.getElementById("graphiql");
const field = document.getElementById("key");
const shown = document.getElementById("show-key");
const notice = document.getElementById("notice");
const { endpoint, demoKey = "" } = root.dataset;

function tell(text) {
  notice.textContent = text;
  notice.hidden = text === "";
}

// Shaped like an answer of the server, so that GraphiQL shows it where it shows any other.
function refuse(message) {
  tell(message);
  return Response.json({ errors: [{ message }] }, { status: 401 });
}

// Stands in for fetch. A header typed into GraphiQL's own Headers pane wins over the field.
async function send(url, request) {
  const headers = new Headers(request.headers);
  const key = field.value.trim();
  if (!headers.has("Authorization")) {
    if (key === "") return refuse(ENTER_A_KEY);
    if (!/^[\x21-\x7e]+$/.test(key)) return refuse(`This is not an API key. ${ENTER_A_KEY}`);
    headers.set("Authorization", `Bearer ${key}`);
  }
  let answer;
  try {
    answer = await fetch(url, { ...request, headers });
  } catch (error) {
    tell("The server does not answer. Is it still running?");
    throw error;
  }
  tell(answer.status === 401 ? `The server refused this API key. ${ENTER_A_KEY}` : "");
  return answer;
}

// GraphiQL 3 fills its editors from what it has stored, not from the first of its default tabs.
if (localStorage.getItem("graphiql:tabState") === null) {
  localStorage.setItem("graphiql:query", examples[0].query);
  localStorage.setItem("graphiql:variables", examples[0].variables);
}

const page = ReactDOM.createRoot(root);
const plugins = [GraphiQLPluginExplorer.explorerPlugin()];

// GraphiQL reads the schema again when it is given a new fetcher.
function show() {
  page.render(
    React.createElement(
      GraphiQL,
      {
        fetcher: GraphiQL.createFetcher({
          url: endpoint,
          fetch: send,
          enableIncrementalDelivery: false,
        }),
        defaultTabs: examples,
        defaultEditorToolsVisibility: "variables",
        plugins,
      },
      React.createElement(GraphiQL.Logo, null, "casegraph"),
    ),
  );
}

// sessionStorage belongs to this tab and ends with it. The demo key stays out of it, because
// the next demo has another one.
field.value = sessionStorage.getItem(REMEMBERED_KEY) ?? demoKey;
field.addEventListener("input", () => {
  const key = field.value.trim();
  if (key === "") sessionStorage.removeItem(REMEMBERED_KEY);
  else sessionStorage.setItem(REMEMBERED_KEY, key);
});
field.addEventListener("change", show);
shown.addEventListener("change", () => {
  field.type = shown.checked ? "text" : "password";
});

show();
