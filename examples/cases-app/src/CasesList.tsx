import { useEffect, useRef } from "react";
import { graphql, usePaginationFragment } from "react-relay";
import type { CasesList_query$key } from "./__generated__/CasesList_query.graphql";
import type { CasesListPageQuery } from "./__generated__/CasesListPageQuery.graphql";
import { Highlighted } from "./Highlighted";
import { pathTo } from "./router";

const PAGE = 20;

export function CasesList({ query }: { query: CasesList_query$key }) {
  const { data, loadNext, hasNext, isLoadingNext } = usePaginationFragment<
    CasesListPageQuery,
    CasesList_query$key
  >(
    graphql`
      fragment CasesList_query on Query
      @refetchable(queryName: "CasesListPageQuery")
      @argumentDefinitions(
        count: { type: "Int", defaultValue: 20 }
        cursor: { type: "String" }
        filter: { type: "CaseFilter" }
      ) {
        cases(first: $count, after: $cursor, filter: $filter) @connection(key: "CasesList_cases") {
          edges {
            node {
              id
              name
              fileNumber
              status
              type
            }
            matches {
              field
              text
              ranges {
                start
                end
              }
            }
          }
        }
      }
    `,
    query,
  );
  const end = useRef<HTMLButtonElement>(null);

  // Who scrolls to the end gets more; the button is for the keyboard.
  useEffect(() => {
    const button = end.current;
    if (button === null) return;
    const observer = new IntersectionObserver(([seen]) => {
      if (seen?.isIntersecting && !isLoadingNext) loadNext(PAGE);
    });
    observer.observe(button);
    return () => observer.disconnect();
  }, [loadNext, isLoadingNext, hasNext]);

  const edges = data.cases?.edges ?? [];
  return (
    <>
      <ol className="cases">
        {edges.map(({ node, matches }) => (
          <li key={node.id}>
            <a href={pathTo({ name: "case", id: node.id })}>{node.name}</a>
            <span className="facts">
              {[node.fileNumber, node.status.toLowerCase(), node.type].filter(Boolean).join(" · ")}
            </span>
            {matches.slice(0, 3).map((match, place) => (
              <span className="facts" key={place}>
                <Highlighted text={match.text} ranges={match.ranges} />
              </span>
            ))}
          </li>
        ))}
      </ol>
      {edges.length === 0 && <p>No case has all of this. Try fewer words, or fewer filters.</p>}
      {hasNext && (
        <button type="button" ref={end} disabled={isLoadingNext} onClick={() => loadNext(PAGE)}>
          {isLoadingNext ? "Loading …" : "More cases"}
        </button>
      )}
    </>
  );
}
