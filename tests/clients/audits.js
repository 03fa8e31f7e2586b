// Runs the audits of graphql-http and prints each with its status. Arguments: endpoint, key.
const { serverAudits } = require("graphql-http");

const [url, key] = process.argv.slice(2);

async function main() {
  const fetchFn = (address, options = {}) =>
    fetch(address, {
      ...options,
      headers: { ...options.headers, Authorization: `Bearer ${key}` },
    });
  const results = [];
  for (const audit of serverAudits({ url, fetchFn })) {
    const { status, name, reason } = await audit.fn();
    results.push({ status, name, reason });
  }
  console.log(JSON.stringify(results));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
