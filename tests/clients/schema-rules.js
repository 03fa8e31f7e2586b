// Lints the schema with graphql-eslint's recommended and Relay rules, and prints what it finds.
// Arguments: the schema file, and the types that need no id, in JSON.
const { readFileSync } = require("node:fs");
const { ESLint } = require("eslint");
const graphql = require("@graphql-eslint/eslint-plugin");

const [file, exceptions] = process.argv.slice(2);

async function main() {
  const plugin = graphql.default ?? graphql;
  const { configs } = plugin;
  const rules = {
    ...configs["flat/schema-recommended"].rules,
    ...configs["flat/schema-relay"].rules,
    // Payloads, connections and their parts are no objects of their own.
    "@graphql-eslint/strict-id-in-types": [
      "error",
      { acceptedIdNames: ["id"], acceptedIdTypes: ["ID"], exceptions: JSON.parse(exceptions) },
    ],
    // A connection also has `nodes`, as GitHub's API has; userErrors and facets are lists.
    "@graphql-eslint/relay-edge-types": [
      "error",
      { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false },
    ],
  };
  const eslint = new ESLint({
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ["**/*.graphql"],
        languageOptions: {
          parser: plugin.parser,
          parserOptions: { graphQLConfig: { schema: file } },
        },
        plugins: { "@graphql-eslint": plugin },
        rules,
      },
    ],
  });
  const lines = readFileSync(file, "utf-8").split("\n");
  const [{ messages }] = await eslint.lintFiles([file]);
  const found = messages.map(({ ruleId, message, line }) => ({
    rule: ruleId?.replace("@graphql-eslint/", "") ?? "fatal",
    message,
    text: lines[line - 1]?.trim(),
  }));
  console.log(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
