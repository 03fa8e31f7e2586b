import { useState, type FormEvent } from "react";
import { ConnectionHandler, graphql, useFragment, useMutation } from "react-relay";
import type { PartyRolesMutation } from "./__generated__/PartyRolesMutation.graphql";
import type { PartyRoles_case$key } from "./__generated__/PartyRoles_case.graphql";
import type { PartyRoles_role$key } from "./__generated__/PartyRoles_role.graphql";
import { told } from "./conflict";

export function PartyRoles({ of }: { of: PartyRoles_case$key }) {
  const { id, version, parties } = useFragment(
    graphql`
      fragment PartyRoles_case on Case {
        id
        version
        parties(first: 100) {
          nodes {
            id
            ...PartyRoles_role
          }
        }
      }
    `,
    of,
  );
  const nodes = parties?.nodes ?? [];
  return (
    <section aria-labelledby="parties">
      <h2 id="parties">Parties</h2>
      <ul>
        {nodes.map((one) => (
          <Role key={one.id} of={one} caseId={id} version={version} />
        ))}
      </ul>
      {nodes.length === 0 && <p>Nobody yet.</p>}
    </section>
  );
}

type RoleProps = { of: PartyRoles_role$key; caseId: string; version: number };

function Role({ of, caseId, version }: RoleProps) {
  const one = useFragment(
    graphql`
      fragment PartyRoles_role on CaseParty {
        id
        role
        reference
        party {
          name
        }
      }
    `,
    of,
  );
  const [edited, setEdited] = useState<string | null>(null);
  const [notice, setNotice] = useState("");
  const [commit] = useMutation<PartyRolesMutation>(graphql`
    mutation PartyRolesMutation($input: UpdateCasePartyInput!, $timelines: [ID!]!) {
      updateCaseParty(input: $input) {
        caseParty {
          id
          role
        }
        case {
          ...PartyRoles_case
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

  function submit(event: FormEvent) {
    event.preventDefault();
    const role = (edited ?? "").trim();
    setEdited(null);
    setNotice("");
    if (role === one.role) return;
    const refuse = (message: string) => {
      setNotice(message);
      setEdited(role); // what was typed stays
    };
    commit({
      variables: {
        input: { id: one.id, role, expectedVersion: version },
        timelines: [ConnectionHandler.getConnectionID(caseId, "Timeline_timeline")],
      },
      optimisticResponse: {
        updateCaseParty: { caseParty: { id: one.id, role }, case: null, userErrors: [] },
      },
      onCompleted: ({ updateCaseParty }) => {
        const [error] = updateCaseParty?.userErrors ?? [];
        if (error === undefined) return;
        const last = updateCaseParty?.case?.timeline?.edges[0]?.node;
        refuse(error.code === "VERSION_CONFLICT" && last ? told(last) : error.message);
      },
      onError: (error) => refuse(error.message),
    });
  }

  return (
    <li>
      {one.party.name}{" "}
      {edited === null ? (
        <>
          <span className="facts">
            {[one.role.replaceAll("_", " "), one.reference].filter(Boolean).join(" · ")}
          </span>{" "}
          <button type="button" onClick={() => setEdited(one.role)}>
            Change role<span className="for-readers"> of {one.party.name}</span>
          </button>
        </>
      ) : (
        <form className="inline" onSubmit={submit}>
          <label>
            <span className="for-readers">Role of {one.party.name}</span>
            <input
              autoFocus
              required
              maxLength={100}
              value={edited}
              onChange={(event) => setEdited(event.target.value)}
            />
          </label>
          <button type="submit">Save</button>
          <button type="button" onClick={() => setEdited(null)}>
            Cancel
          </button>
        </form>
      )}
      {notice !== "" && <p role="alert">{notice}</p>}
    </li>
  );
}
