// What relay-compiler compiles: all cases as one connection, paged in both directions.
const { graphql } = require("relay-runtime");

graphql`
  query CasesQuery($first: Int, $after: String, $last: Int, $before: String) {
    ...Cases_page @arguments(first: $first, after: $after, last: $last, before: $before)
  }
`;

graphql`
  fragment Cases_page on Query
  @refetchable(queryName: "CasesPageQuery")
  @argumentDefinitions(
    first: { type: "Int" }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
  ) {
    cases(
      first: $first
      after: $after
      last: $last
      before: $before
      orderBy: { field: NAME, direction: ASC }
    ) @connection(key: "Cases_cases") {
      edges {
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

graphql`
  mutation CasesRenameMutation($input: UpdateCaseInput!) {
    updateCase(input: $input) {
      case {
        id
        name
        version
      }
      userErrors {
        code
      }
    }
  }
`;
