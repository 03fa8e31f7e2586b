// Compares two schemas with graphql-inspector and prints what would break clients of the first.
// Arguments: the old schema file and the new one.
const { readFileSync } = require("node:fs");
const { CriticalityLevel, diff } = require("@graphql-inspector/core");
const { buildSchema } = require("graphql");

async function main() {
  const [old, now] = process.argv.slice(2).map((file) => buildSchema(readFileSync(file, "utf-8")));
  const changes = await diff(old, now);
  const breaking = changes.filter((it) => it.criticality.level === CriticalityLevel.Breaking);
  console.log(JSON.stringify(breaking.map(({ message }) => message)));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
