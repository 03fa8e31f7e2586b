// The tabs shown on a browser's first visit. Later visits show the user's own tabs.

const listCases = `# The newest active cases. Run with Ctrl-Enter.
# Set "search" in the variables below to words
# of a name or to a file number, in quotes.
query ListCases($status: [CaseStatus!], $search: String) {
  cases(
    first: 20
    filter: { status: $status, search: $search }
    orderBy: { field: CREATED_AT, direction: DESC }
  ) {
    totalCount
    nodes {
      id
      fileNumber
      name
      status
      type
      dezernat
      createdAt
    }
  }
}
`;

const search = `# Words in any order: of the name, the file number,
# the parties and their references. Each hit says why;
# "facets" are the values to narrow it down by.
query Search($search: String!, $status: [CaseStatus!]) {
  cases(first: 20, filter: { search: $search, status: $status }) {
    totalCount
    facets(by: [STATUS, TYPE], first: 5) {
      field
      values {
        value
        count
      }
    }
    edges {
      node {
        name
        fileNumber
      }
      matches {
        field
        rule
        text
        ranges {
          start
          end
        }
      }
    }
  }
}
`;

const oneCase = `# One case with all its data, by file number.
# By id instead: { "id": "..." } in the variables.
query OneCase($fileNumber: String, $id: ID) {
  case(fileNumber: $fileNumber, id: $id) {
    id
    uuid
    name
    fileNumber
    status
    type
    dezernat
    createdAt
    updatedAt
    version
    parties(first: 10) {
      nodes {
        id
        role
        reference
        party {
          id
          kind
          name
        }
      }
    }
    staff {
      nodes {
        id
        role
        staff {
          id
          name
          email
        }
      }
    }
    links {
      nodes {
        id
        type
        linkedCase {
          name
          fileNumber
        }
      }
    }
    timeline(first: 20) {
      nodes {
        seq
        type
        actor
        at
        occurredAt
        title
        changes {
          field
          before
          after
        }
      }
    }
  }
}
`;

const pageThroughCases = `# Page through the cases. For the next page, copy
# "endCursor" from the result to "after" below.
query PageThroughCases($first: Int, $after: String) {
  cases(first: $first, after: $after) {
    totalCount
    nodes {
      id
      name
      fileNumber
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`;

const createCase = `# Opens a case with its first party; run again,
# it answers the same case: see "idempotencyKey".
# The key needs the scope "cases:write".
mutation CreateCase($input: CreateCaseInput!) {
  createCase(input: $input) {
    case {
      id
      name
    }
    userErrors {
      code
      message
      field
    }
  }
}
`;

const linkCases = `# Links two cases, whose ids are in the variables
# below. The key needs the scope "cases:write".
mutation LinkCases($input: LinkCasesInput!) {
  linkCases(input: $input) {
    link {
      id
      type
    }
    userErrors {
      code
      message
      field
    }
  }
}
`;

// The variables are made of what the workspace holds, so that every example shows something at once.
// Those that write have an idempotency key: run again, they change nothing and answer the same.
// *found*: the "first" case, "one" and "other" that are not linked, words to "search" for, and a
// "fresh" text; see workspace.js.
export const examples = [
  { query: listCases, variables: () => ({ status: ["ACTIVE"], search: null }) },
  { query: search, variables: (found) => ({ search: found.search, status: null }) },
  {
    query: oneCase,
    variables: ({ first }) =>
      first.fileNumber ? { fileNumber: first.fileNumber } : { id: first.id ?? "the id of a case" },
  },
  { query: pageThroughCases, variables: () => ({ first: 5, after: null }) },
  {
    query: createCase,
    variables: ({ fresh }) => ({
      input: {
        name: "Example v. Sample",
        fileNumber: `EX-${fresh}`,
        type: "civil",
        parties: [{ new: { name: "Erika Example", kind: "PERSON" }, role: "client" }],
        idempotencyKey: `example-create-${fresh}`,
      },
    }),
  },
  {
    query: linkCases,
    variables: ({ one, other, fresh }) => ({
      input: {
        caseId: one?.id ?? "the id of a case",
        linkedCaseId: other?.id ?? "the id of another",
        type: "RELATED",
        idempotencyKey: `example-link-${fresh}`,
      },
    }),
  },
];
