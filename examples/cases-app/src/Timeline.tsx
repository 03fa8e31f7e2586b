import { useState } from "react";
import { graphql, useFragment, usePaginationFragment } from "react-relay";
import type { TimelinePageQuery } from "./__generated__/TimelinePageQuery.graphql";
import type { Timeline_case$key } from "./__generated__/Timeline_case.graphql";
import type { Timeline_event$key } from "./__generated__/Timeline_event.graphql";
import { moment } from "./dates";

export function Timeline({ of }: { of: Timeline_case$key }) {
  const { data, loadNext, hasNext, isLoadingNext } = usePaginationFragment<
    TimelinePageQuery,
    Timeline_case$key
  >(
    graphql`
      fragment Timeline_case on Case
      @refetchable(queryName: "TimelinePageQuery")
      @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" }) {
        timeline(first: $count, after: $cursor) @connection(key: "Timeline_timeline") {
          edges {
            node {
              id
              ...Timeline_event
            }
          }
        }
      }
    `,
    of,
  );
  const [trouble, setTrouble] = useState("");
  const edges = data.timeline?.edges ?? [];

  function more() {
    setTrouble("");
    loadNext(20, { onComplete: (error) => setTrouble(error?.message ?? "") });
  }

  return (
    <section aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      <ol className="timeline">
        {edges.map(({ node }) => (
          <Event key={node.id} of={node} />
        ))}
      </ol>
      {trouble !== "" && <p role="alert">{trouble}</p>}
      {hasNext && (
        <button type="button" disabled={isLoadingNext} onClick={more}>
          Earlier events
        </button>
      )}
    </section>
  );
}

function Event({ of }: { of: Timeline_event$key }) {
  const event = useFragment(
    graphql`
      fragment Timeline_event on TimelineEvent {
        type
        title
        actor
        occurredAt
        changes {
          field
          before
          after
        }
      }
    `,
    of,
  );
  return (
    <li>
      <span className="facts">
        {moment(event.occurredAt)} · {event.actor}
      </span>
      <span>{event.title ?? event.type.replaceAll("_", " ")}</span>
      {event.changes
        .filter(({ before, after }) => isPlain(before) && isPlain(after))
        .map(({ field, before, after }) => (
          <span className="facts" key={field}>
            {field}: {String(before ?? "—")} → {String(after ?? "—")}
          </span>
        ))}
    </li>
  );
}

// Lists of roles are shown where they are, and need no line here.
const isPlain = (value: unknown) => value === null || typeof value !== "object";
