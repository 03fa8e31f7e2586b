// The tabs shown on a browser's first visit. Later visits show the user's own tabs.

const listCases = `# The newest active cases. Run with Ctrl-Enter.
# Set "search" in the variables below to a name
# or a file number, in quotes: "mueller".
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

const createCase = `# Opens a case with its first party.
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

const linkCases = `# Links two cases. Copy their ids from the result
# of ListCases to the variables below.
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

const tab = (query, variables) => ({ query, variables: JSON.stringify(variables, null, 2) });

export const examples = [
  tab(listCases, { status: ["ACTIVE"], search: null }),
  tab(search, { search: "mueller gmbh", status: null }),
  tab(oneCase, { fileNumber: "AZ-2026-001" }),
  tab(pageThroughCases, { first: 5, after: null }),
  tab(createCase, {
    input: {
      name: "Example v. Sample",
      fileNumber: "AZ-2026-900",
      type: "civil",
      parties: [{ new: { name: "Erika Example", kind: "PERSON" }, role: "client" }],
    },
  }),
  tab(linkCases, {
    input: { caseId: "the id of a case", linkedCaseId: "the id of another", type: "RELATED" },
  }),
];
