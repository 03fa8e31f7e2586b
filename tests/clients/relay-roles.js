// Pages a case's parties with Relay and prints what its store then holds of them.
const {
  Environment,
  Network,
  RecordSource,
  Store,
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
} = require("relay-runtime");
const query = require("./src/__generated__/CasePartiesQuery.graphql.js");
const mutation = require("./src/__generated__/CasePartiesRoleMutation.graphql.js");

const [url, key, id, first] = process.argv.slice(2);

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
  const variables = { id, first: Number(first), after: null };
  const whole = createOperationDescriptor(query, variables);
  environment.retain(whole);
  const parties = () => environment.lookup(whole.fragment).data.case.parties;
  let pages = 0;
  do {
    const after = pages ? parties().pageInfo.endCursor : null;
    await fetchQuery(environment, query, { ...variables, after }).toPromise();
    pages += 1;
  } while (parties().pageInfo.hasNextPage && pages < 20);
  const read = () => parties().edges.map((edge) => edge.node);
  const before = read();
  await new Promise((resolve, reject) =>
    commitMutation(environment, {
      mutation,
      variables: { input: { id: before[0].id, role: "plaintiff" } },
      onCompleted: resolve,
      onError: reject,
    }),
  );
  console.log(JSON.stringify({ pages, before, after: read() }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
