// The tabs as GraphiQL stores them: the examples on a browser's first visit, later the user's own.

import { examples } from "./examples.js";

const TABS = "graphiql:tabState";
const FILLED = "casegraph.filled"; // the examples' variables as this page last wrote them

function stored(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function tabOf({ query, variables = null, operationName = null }) {
  const title = query.match(/^\s*(?:query|mutation)\s+(\w+)/m)?.[1] ?? "<untitled>";
  const id = crypto.getRandomValues(new Uint32Array(4)).join("-");
  return { id, title, query, variables, headers: null, operationName, response: null };
}

// Fills in the examples whose variables nobody has changed, and opens the operation of a link.
// Says whether anything is not as it was.
export function prepare(found, shared) {
  const filled = stored(FILLED, []);
  const fresh = examples.map(({ variables }) => JSON.stringify(variables(found), null, 2));
  const state = stored(TABS, null);
  const before =
    state && JSON.stringify({ tabs: state.tabs, activeTabIndex: state.activeTabIndex });
  const tabs =
    state?.tabs ?? examples.map(({ query }, n) => tabOf({ query, variables: filled[n] }));
  for (const [n, { query }] of examples.entries()) {
    for (const tab of tabs) {
      const untouched = tab.variables === (filled[n] ?? null) || !tab.variables;
      if (tab.query === query && untouched) tab.variables = fresh[n];
    }
  }
  let active = Math.min(state?.activeTabIndex ?? 0, tabs.length - 1);
  if (shared !== null) {
    const same = (tab) =>
      tab.query === shared.query && (tab.variables ?? null) === shared.variables;
    active = tabs.findIndex(same);
    if (active < 0) active = tabs.push(tabOf(shared)) - 1;
  }
  const next = JSON.stringify({ tabs, activeTabIndex: active });
  localStorage.setItem(FILLED, JSON.stringify(fresh));
  localStorage.setItem(TABS, next);
  // GraphiQL fills its editors from these, and finds the tab that has the same.
  for (const part of ["query", "variables", "headers"]) {
    const text = tabs[active]?.[part];
    if (text) localStorage.setItem(`graphiql:${part}`, text);
    else localStorage.removeItem(`graphiql:${part}`);
  }
  return next !== before;
}

// The operation that the page's address holds, as GET /graphql takes it; null if there is none.
export function sharedIn(address) {
  const given = new URLSearchParams(address.search);
  const query = given.get("query");
  if (!query) return null;
  return { query, variables: given.get("variables"), operationName: given.get("operationName") };
}

// A link to the page with the operation that is open.
export function linkTo(address) {
  const { tabs, activeTabIndex } = stored(TABS, { tabs: [], activeTabIndex: 0 });
  const { query, variables } = tabs[activeTabIndex] ?? {};
  const given = new URLSearchParams();
  if (query) given.set("query", query);
  if (variables) given.set("variables", variables);
  return `${address.origin}${address.pathname}?${given}`;
}
