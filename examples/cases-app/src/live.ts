// What others change, shown as it happens: each change brings its case as it is now, and Relay's store
// shows it wherever it is.

import { useMemo } from "react";
import { graphql, useSubscription } from "react-relay";
import { ConnectionHandler } from "relay-runtime";
import type { liveCaseSubscription } from "./__generated__/liveCaseSubscription.graphql";
import type { liveCasesSubscription } from "./__generated__/liveCasesSubscription.graphql";

// While a list is shown: the cases in it.
export function useLiveCases(): void {
  const config = useMemo(
    () => ({
      subscription: graphql`
        subscription liveCasesSubscription {
          caseChanges {
            cursor
            node {
              id
              case {
                id
                name
                fileNumber
                status
                version
              }
            }
          }
        }
      `,
      variables: {},
    }),
    [],
  );
  useSubscription<liveCasesSubscription>(config);
}

// While a case is shown: its facts, its roles and its timeline.
export function useLiveCase(id: string): void {
  const config = useMemo(
    () => ({
      subscription: graphql`
        subscription liveCaseSubscription($id: ID!, $timelines: [ID!]!) {
          caseChanges(caseId: $id) @prependEdge(connections: $timelines) {
            cursor
            node {
              id
              ...Timeline_event
              case {
                id
                name
                fileNumber
                type
                description
                dezernat
                ...StatusSelect_case
                ...PartyRoles_case
              }
            }
          }
        }
      `,
      variables: { id, timelines: [ConnectionHandler.getConnectionID(id, "Timeline_timeline")] },
    }),
    [id],
  );
  useSubscription<liveCaseSubscription>(config);
}
