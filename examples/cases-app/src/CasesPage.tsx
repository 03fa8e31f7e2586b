import { useDeferredValue, useEffect, useState, useTransition } from "react";
import { graphql, useLazyLoadQuery } from "react-relay";
import type { CasesPageQuery } from "./__generated__/CasesPageQuery.graphql";
import { CasesList } from "./CasesList";
import { FilterMenus } from "./FilterMenus";
import { filterOf, NOTHING_CHOSEN, type Choice } from "./filter";
import { useLiveCases } from "./live";

const WAIT = 250; // milliseconds that typing must rest before it is searched for

export function CasesPage() {
  const [text, setText] = useState("");
  const [choice, setChoice] = useState<Choice>(NOTHING_CHOSEN);
  const [isPending, startTransition] = useTransition();
  const [search, setSearch] = useState("");

  useEffect(() => {
    const timer = setTimeout(() => startTransition(() => setSearch(text)), WAIT);
    return () => clearTimeout(timer);
  }, [text]);

  return (
    <>
      <h1>Cases</h1>
      <form role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search
          <input
            type="search"
            maxLength={200}
            value={text}
            placeholder="Words of a name, a party, or a file number"
            onChange={(event) => setText(event.target.value)}
          />
        </label>
      </form>
      <Found
        search={search}
        choice={choice}
        stale={isPending}
        onChoose={(next) => startTransition(() => setChoice(next))}
      />
    </>
  );
}

type FoundProps = {
  search: string;
  choice: Choice;
  stale: boolean;
  onChoose: (choice: Choice) => void;
};

function Found({ search, choice, stale, onChoose }: FoundProps) {
  const wanted = useDeferredValue(search);
  useLiveCases();
  const data = useLazyLoadQuery<CasesPageQuery>(
    graphql`
      query CasesPageQuery($filter: CaseFilter) {
        ...CasesList_query @arguments(filter: $filter)
        counted: cases(filter: $filter) {
          totalCount
          facets(by: [STATUS, TYPE, STAFF], first: 8) {
            ...FilterMenus_facets
          }
        }
      }
    `,
    { filter: filterOf(wanted, choice) },
    { fetchPolicy: "store-and-network" },
  );
  const count = data.counted?.totalCount ?? 0;
  return (
    <div className="columns" aria-busy={stale}>
      <FilterMenus facets={data.counted?.facets ?? []} choice={choice} onChoose={onChoose} />
      <section aria-label="Results">
        <p role="status">{count === 1 ? "1 case" : `${count.toLocaleString("en")} cases`}</p>
        <CasesList query={data} />
      </section>
    </div>
  );
}
