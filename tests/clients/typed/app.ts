// A program with the types of graphql-codegen. It sends the ids of documents, never their texts.
// Arguments: endpoint, key.
import type { TypedDocumentString } from "./generated/graphql";
import { graphql } from "./generated";

const [url = "", key = ""] = process.argv.slice(2);

const create = graphql(`
  mutation Create($input: CreateCaseInput!) {
    createCase(input: $input) {
      case {
        id
        status
        createdAt
      }
      userErrors {
        code
        field
      }
    }
  }
`);
const list = graphql(`
  query List($status: [CaseStatus!]) {
    cases(first: 10, filter: { status: $status }) {
      totalCount
      nodes {
        id
        name
        fileNumber
        parties {
          nodes {
            role
            party {
              name
            }
          }
        }
      }
    }
  }
`);

async function run<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
): Promise<Result> {
  const hash = (document["__meta__"] as { hash: string }).hash;
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
    body: JSON.stringify({ documentId: hash, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Result; errors?: unknown };
  if (data === undefined || errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

async function main(): Promise<void> {
  const made = await run(create, {
    input: {
      name: "Typed",
      fileNumber: "T 1",
      parties: [{ new: { name: "Erika", kind: "PERSON" }, role: "client" }],
    },
  });
  const created: string | undefined = made.createCase?.case?.createdAt;
  const found = await run(list, { status: ["ACTIVE"] });
  const roles = found.cases?.nodes.flatMap((it) => it.parties?.nodes.map((one) => one.role) ?? []);
  console.log(
    JSON.stringify({ created: created !== undefined, total: found.cases?.totalCount, roles }),
  );
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
