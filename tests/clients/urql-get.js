// Asks by GET with urql, twice with the network and once from its cache, and prints what it was
// told. Arguments: endpoint, key.
const { Client, cacheExchange, fetchExchange, gql } = require("@urql/core");

const [url, key] = process.argv.slice(2);
const methods = [];

const CASES = gql`
  query Cases($search: String) {
    cases(filter: { search: $search }) {
      totalCount
      nodes {
        id
        name
      }
    }
  }
`;

async function main() {
  const client = new Client({
    url,
    exchanges: [cacheExchange, fetchExchange],
    preferGetMethod: true,
    fetchOptions: { headers: { Authorization: `Bearer ${key}` } },
    fetch: (address, options) => {
      methods.push(options.method);
      return fetch(address, options);
    },
  });
  const ask = (search, context) => client.query(CASES, { search }, context).toPromise();
  const all = await ask(null);
  const again = await ask(null);
  const found = await ask("Müller & Söhne +49");
  const bad = await client.query("{ nothing }", {}).toPromise();
  console.log(
    JSON.stringify({
      methods,
      all: all.data.cases.totalCount,
      again: again.data.cases.totalCount,
      found: found.data.cases.nodes.map(({ name }) => name),
      code: bad.error.graphQLErrors[0].extensions.code,
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
