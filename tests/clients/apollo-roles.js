// Pages a case's parties with Apollo Client and prints what its cache then holds of them.
const { ApolloClient, HttpLink, InMemoryCache, gql } = require("@apollo/client/core");
const { relayStylePagination } = require("@apollo/client/utilities");

const [url, key, id, first] = process.argv.slice(2);

const PARTIES = gql`
  query Parties($id: ID!, $first: Int!, $after: String) {
    case(id: $id) {
      id
      parties(first: $first, after: $after) {
        edges {
          cursor
          node {
            id
            role
            reference
            party {
              id
              name
            }
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
  }
`;
const CHANGE = gql`
  mutation Change($input: UpdateCasePartyInput!) {
    updateCaseParty(input: $input) {
      caseParty {
        id
        role
      }
      userErrors {
        code
      }
    }
  }
`;

async function main() {
  const client = new ApolloClient({
    cache: new InMemoryCache({
      typePolicies: { Case: { fields: { parties: relayStylePagination() } } },
    }),
    link: new HttpLink({ uri: url, headers: { Authorization: `Bearer ${key}` } }),
  });
  const variables = { id, first: Number(first) };
  const watched = client.watchQuery({ query: PARTIES, variables });
  watched.subscribe(() => {});
  let { data } = await watched.result();
  let pages = 1;
  while (data.case.parties.pageInfo.hasNextPage && pages < 20) {
    const after = data.case.parties.pageInfo.endCursor;
    await watched.fetchMore({ variables: { after } });
    data = watched.getCurrentResult().data;
    pages += 1;
  }
  const read = () =>
    client.readQuery({ query: PARTIES, variables }).case.parties.edges.map(({ node }) => node);
  const before = read();
  await client.mutate({
    mutation: CHANGE,
    variables: { input: { id: before[0].id, role: "plaintiff" } },
  });
  console.log(JSON.stringify({ pages, before, after: read() }));
  client.stop();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
