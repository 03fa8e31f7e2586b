import { useCallback, useEffect, useRef, useState } from "react";
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
  const [trouble, setTrouble] = useState("");

  const more = useCallback(() => {
    setTrouble("");
    loadNext(PAGE, { onComplete: (error) => setTrouble(error?.message ?? "") });
  }, [loadNext]);

  // Who scrolls to the end gets more; the button is for the keyboard, and after a failure for all:
  // else a server that is gone would be asked again and again.
  useEffect(() => {
    const button = end.current;
    if (button === null || trouble !== "") return;
    const observer = new IntersectionObserver(([seen]) => {
      if (seen?.isIntersecting && !isLoadingNext) more();
    });
    observer.observe(button);
    return () => observer.disconnect();
  }, [more, isLoadingNext, hasNext, trouble]);

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
      {trouble !== "" && <p role="alert">{trouble}</p>}
      {hasNext && (
        <button type="button" ref={end} disabled={isLoadingNext} onClick={more}>
          {isLoadingNext ? "Loading …" : "More cases"}
        </button>
      )}
    </>
  );
}
