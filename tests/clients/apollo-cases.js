// Pages all cases by persisted queries over GET, renames one optimistically, twice of which the
// second is refused, and prints what Apollo Client told. Arguments: endpoint, key.
const { createHash } = require("node:crypto");
const { ApolloClient, HttpLink, InMemoryCache, gql } = require("@apollo/client/core");
const { createPersistedQueryLink } = require("@apollo/client/link/persisted-queries");
const { relayStylePagination } = require("@apollo/client/utilities");

const [url, key] = process.argv.slice(2);

const CASES = gql`
  query Cases($first: Int!, $after: String) {
    cases(first: $first, after: $after, orderBy: { field: NAME, direction: ASC }) {
      edges {
        cursor
        node {
          id
          name
          version
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`;
const RENAME = gql`
  mutation Rename($input: UpdateCaseInput!) {
    updateCase(input: $input) {
      case {
        id
        name
        version
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`;

const sent = [];
async function watchedFetch(address, options) {
  const response = await fetch(address, options);
  const { errors } = await response.clone().json();
  const asked = options.body ? JSON.parse(options.body) : null;
  const query = asked ? asked.query : new URL(address).searchParams.get("query");
  sent.push([options.method, Boolean(query), errors?.[0].extensions.code ?? "data"]);
  return response;
}

async function main() {
  const cache = new InMemoryCache({
    typePolicies: { Query: { fields: { cases: relayStylePagination(["orderBy"]) } } },
  });
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const link = createPersistedQueryLink({ sha256, useGETForHashedQueries: true }).concat(
    new HttpLink({ uri: url, fetch: watchedFetch, headers: { Authorization: `Bearer ${key}` } }),
  );
  const client = new ApolloClient({ cache, link });
  const watched = client.watchQuery({ query: CASES, variables: { first: 4 } });
  watched.subscribe(() => {});
  let { data } = await watched.result();
  while (data.cases.pageInfo.hasNextPage) {
    await watched.fetchMore({ variables: { after: data.cases.pageInfo.endCursor } });
    data = watched.getCurrentResult().data;
  }
  const nodes = () =>
    client.readQuery({ query: CASES, variables: { first: 4 } }).cases.edges.map(({ node }) => node);
  const told = { paged: nodes().map(({ name }) => name), sent: [...sent] };

  const rename = async (node, name, expectedVersion) => {
    const { data: answer } = await client.mutate({
      mutation: RENAME,
      variables: { input: { id: node.id, name, expectedVersion } },
      optimisticResponse: {
        updateCase: {
          __typename: "UpdateCasePayload",
          case: { __typename: "Case", id: node.id, name, version: node.version + 1 },
          userErrors: [],
        },
      },
    });
    return answer.updateCase.userErrors;
  };
  const [one, other] = nodes();
  const pending = [rename(one, "renamed", one.version), rename(other, "too late", 99)];
  const optimistic = cache.extract(true);
  told.optimistic = [one, other].map(({ id }) => optimistic[`Case:${id}`].name);
  told.errors = await Promise.all(pending);
  told.settled = nodes()
    .slice(0, 2)
    .map(({ name }) => name);
  console.log(JSON.stringify(told));
  client.stop();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
