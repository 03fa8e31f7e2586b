// Pages cases in both directions and renames two of them at once, the second one in vain, and
// prints what Relay's store held meanwhile. Arguments: endpoint, key, and a cursor to begin after.
const {
  Environment,
  Network,
  RecordSource,
  Store,
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
  getSelector,
} = require("relay-runtime");
const query = require("./src/__generated__/CasesQuery.graphql.js");
const pageQuery = require("./src/__generated__/CasesPageQuery.graphql.js");
const fragment = require("./src/__generated__/Cases_page.graphql.js");
const mutation = require("./src/__generated__/CasesRenameMutation.graphql.js");

const [url, key, begin] = process.argv.slice(2);

async function ask(request, variables) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
    body: JSON.stringify({ query: request.text, variables }),
  });
  return response.json();
}

async function main() {
  const environment = new Environment({
    network: Network.create(ask),
    store: new Store(new RecordSource()),
  });
  const variables = { first: 4, after: begin, last: null, before: null };
  const operation = createOperationDescriptor(query, variables);
  environment.retain(operation);
  await fetchQuery(environment, query, variables).toPromise();
  const page = () => {
    const { data } = environment.lookup(operation.fragment);
    return environment.lookup(getSelector(fragment, data)).data.cases;
  };
  const names = () => page().edges.map(({ node }) => node.name);
  const told = { first: names() };
  const next = { first: 4, after: page().pageInfo.endCursor };
  await fetchQuery(environment, pageQuery, next).toPromise();
  told.forwards = names();
  const previous = { last: 3, before: page().pageInfo.startCursor };
  await fetchQuery(environment, pageQuery, previous).toPromise();
  told.backwards = names();
  told.more = [page().pageInfo.hasPreviousPage, page().pageInfo.hasNextPage];

  const rename = (node, name, expectedVersion) =>
    new Promise((resolve, reject) => {
      commitMutation(environment, {
        mutation,
        variables: { input: { id: node.id, name, expectedVersion } },
        optimisticResponse: {
          updateCase: { case: { id: node.id, name, version: node.version + 1 }, userErrors: [] },
        },
        onCompleted: (response) => resolve(response.updateCase.userErrors.map((it) => it.code)),
        onError: reject,
      });
    });
  const [one, other] = page().edges.map(({ node }) => node);
  const pending = [rename(one, "renamed", one.version), rename(other, "too late", 99)];
  told.optimistic = names().slice(0, 2);
  told.codes = await Promise.all(pending);
  told.settled = names().slice(0, 2);
  console.log(JSON.stringify(told));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
