// What relay-compiler compiles: a page of a case's parties, kept as one connection.
const { graphql } = require("relay-runtime");

graphql`
  query CasePartiesQuery($id: ID!, $first: Int!, $after: String) {
    case(id: $id) {
      id
      version
      parties(first: $first, after: $after) @connection(key: "Case_parties") {
        edges {
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
          endCursor
        }
      }
    }
  }
`;

graphql`
  mutation CasePartiesRoleMutation($input: UpdateCasePartyInput!) {
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
