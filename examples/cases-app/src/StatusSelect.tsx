import { useState } from "react";
import { ConnectionHandler, graphql, useFragment, useMutation } from "react-relay";
import type {
  CaseStatus,
  StatusSelectMutation,
} from "./__generated__/StatusSelectMutation.graphql";
import type { StatusSelect_case$key } from "./__generated__/StatusSelect_case.graphql";
import { told } from "./conflict";

const STATUSES = ["ACTIVE", "CLOSED", "ARCHIVED"] as const;

// The status, changed at once and taken back if it cannot be: somebody else may have been faster.
export function StatusSelect({ of }: { of: StatusSelect_case$key }) {
  const found = useFragment(
    graphql`
      fragment StatusSelect_case on Case {
        id
        status
        version
      }
    `,
    of,
  );
  const [notice, setNotice] = useState("");
  const [commit, isPending] = useMutation<StatusSelectMutation>(graphql`
    mutation StatusSelectMutation($input: UpdateCaseInput!, $timelines: [ID!]!) {
      updateCase(input: $input) {
        case {
          id
          ...StatusSelect_case
          timeline(first: 1) {
            edges @prependEdge(connections: $timelines) {
              cursor
              node {
                ...Timeline_event
                actor
                at
                changes {
                  field
                  after
                }
              }
            }
          }
        }
        userErrors {
          code
          message
        }
      }
    }
  `);

  function change(status: CaseStatus) {
    setNotice("");
    commit({
      variables: {
        input: { id: found.id, status, expectedVersion: found.version },
        timelines: [ConnectionHandler.getConnectionID(found.id, "Timeline_timeline")],
      },
      optimisticResponse: {
        updateCase: {
          case: { id: found.id, status, version: found.version, timeline: null },
          userErrors: [],
        },
      },
      onCompleted: ({ updateCase }) => {
        const [error] = updateCase?.userErrors ?? [];
        if (error === undefined) return;
        const last = updateCase?.case?.timeline?.edges[0]?.node;
        if (error.code !== "VERSION_CONFLICT" || last === undefined) {
          setNotice(error.message);
          return;
        }
        setNotice(told(last));
      },
      onError: (error) => setNotice(`Your change was not stored. ${error.message}`),
    });
  }

  return (
    <div className="status">
      <label>
        Status
        <select
          value={found.status}
          disabled={isPending}
          onChange={(event) => change(event.target.value as CaseStatus)}
        >
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {status.toLowerCase()}
            </option>
          ))}
        </select>
      </label>
      {notice !== "" && <p role="alert">{notice}</p>}
    </div>
  );
}
