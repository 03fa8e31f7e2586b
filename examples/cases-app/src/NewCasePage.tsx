import { useState, type FormEvent } from "react";
import { graphql, useMutation } from "react-relay";
import type { NewCasePageMutation } from "./__generated__/NewCasePageMutation.graphql";
import { go } from "./router";

type Row = { name: string; role: string; kind: "PERSON" | "ORGANIZATION" | "COURT" };
type Problem = { readonly message: string; readonly field?: readonly string[] | null };

const EMPTY: Row = { name: "", role: "client", kind: "PERSON" };

// A case with its parties: all of it is stored, or nothing, and then nothing typed is lost.
export function NewCasePage() {
  const [name, setName] = useState("");
  const [fileNumber, setFileNumber] = useState("");
  const [parties, setParties] = useState<Row[]>([EMPTY]);
  const [problems, setProblems] = useState<readonly Problem[]>([]);
  // The same for each try: if an answer was lost, trying again makes no second case.
  const [idempotencyKey] = useState(() => crypto.randomUUID());
  const [commit, isPending] = useMutation<NewCasePageMutation>(graphql`
    mutation NewCasePageMutation($input: CreateCaseInput!) {
      createCase(input: $input) {
        case {
          id
        }
        userErrors {
          message
          field
        }
      }
    }
  `);

  function submit(event: FormEvent) {
    event.preventDefault();
    setProblems([]);
    commit({
      variables: {
        input: {
          name,
          fileNumber: fileNumber || null,
          parties: parties
            .filter((row) => row.name !== "")
            .map(({ name: full, kind, role }) => ({ new: { name: full, kind }, role })),
          idempotencyKey,
        },
      },
      onCompleted: ({ createCase }) => {
        if (createCase?.case != null) go({ name: "case", id: createCase.case.id });
        else setProblems(createCase?.userErrors ?? [{ message: "The server gave no answer." }]);
      },
      onError: (error) => setProblems([error]),
    });
  }

  function change(place: number, part: Partial<Row>) {
    setParties(parties.map((row, n) => (n === place ? { ...row, ...part } : row)));
  }

  const of = (field: string) =>
    problems.filter(
      (one) => (one.field ?? []).filter((part) => part !== "input").join(".") === field,
    );
  const others = problems.filter(
    (one) =>
      !["name", "fileNumber"].includes((one.field ?? []).filter((it) => it !== "input").join(".")),
  );
  return (
    <form onSubmit={submit} className="sheet">
      <h1>New case</h1>
      <label>
        Name
        <input
          required
          maxLength={500}
          value={name}
          aria-invalid={of("name").length > 0}
          onChange={(event) => setName(event.target.value)}
        />
        <Problems of={of("name")} />
      </label>
      <label>
        File number
        <input
          maxLength={100}
          value={fileNumber}
          aria-invalid={of("fileNumber").length > 0}
          onChange={(event) => setFileNumber(event.target.value)}
        />
        <Problems of={of("fileNumber")} />
      </label>
      <fieldset>
        <legend>Parties</legend>
        {parties.map((row, place) => (
          <div className="row" key={place}>
            <label>
              Name
              <input
                value={row.name}
                maxLength={500}
                onChange={(event) => change(place, { name: event.target.value })}
              />
            </label>
            <label>
              Role
              <input
                value={row.role}
                maxLength={100}
                onChange={(event) => change(place, { role: event.target.value })}
              />
            </label>
            <label>
              Kind
              <select
                value={row.kind}
                onChange={(event) => change(place, { kind: event.target.value as Row["kind"] })}
              >
                <option value="PERSON">person</option>
                <option value="ORGANIZATION">organization</option>
                <option value="COURT">court</option>
              </select>
            </label>
            <button type="button" onClick={() => setParties(parties.filter((_, n) => n !== place))}>
              Remove<span className="for-readers"> {row.name || "party"}</span>
            </button>
          </div>
        ))}
        <button
          type="button"
          onClick={() => setParties([...parties, { ...EMPTY, role: "opponent" }])}
        >
          Add a party
        </button>
      </fieldset>
      <Problems of={others} />
      <button type="submit" disabled={isPending}>
        {isPending ? "Saving …" : "Open the case"}
      </button>
    </form>
  );
}

function Problems({ of }: { of: readonly Problem[] }) {
  if (of.length === 0) return null;
  return (
    <span role="alert" className="problems">
      {of.map(({ message }) => message).join(" ")}
    </span>
  );
}
