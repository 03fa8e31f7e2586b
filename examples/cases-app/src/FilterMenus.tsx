import { graphql, useFragment } from "react-relay";
import type { FilterMenus_facets$key } from "./__generated__/FilterMenus_facets.graphql";
import { NOTHING_CHOSEN, type Choice } from "./filter";

// On a narrow screen, what was found comes first.
const isOpenAtFirst = !matchMedia("(max-width: 700px)").matches;
const HEADINGS: Record<string, string> = { STATUS: "Status", TYPE: "Type", STAFF: "Staff" };

type Props = {
  facets: FilterMenus_facets$key;
  choice: Choice;
  onChoose: (choice: Choice) => void;
};

export function FilterMenus({ facets, choice, onChoose }: Props) {
  const menus = useFragment(
    graphql`
      fragment FilterMenus_facets on Facet @relay(plural: true) {
        field
        hasMore
        values {
          value
          label
          count
        }
      }
    `,
    facets,
  );
  const isNarrowed = Object.values(choice).some((one) => one !== null);
  return (
    <aside aria-label="Filters">
      <details open={isOpenAtFirst}>
        <summary>Filters</summary>
        {menus.map(({ field, values, hasMore }) => (
          <fieldset key={field}>
            <legend>{HEADINGS[field]}</legend>
            {values.map(({ value, label, count }) => {
              if (value == null) return null; // cases without a type cannot be asked for
              const chosen = choice[field as keyof Choice] === value;
              return (
                <label key={value}>
                  <input
                    type="checkbox"
                    checked={chosen}
                    onChange={() => onChoose({ ...choice, [field]: chosen ? null : value })}
                  />
                  {label ?? value} <span className="count">{count}</span>
                </label>
              );
            })}
            {hasMore && <p className="hint">The most frequent are shown.</p>}
          </fieldset>
        ))}
      </details>
      {isNarrowed && (
        <button type="button" onClick={() => onChoose(NOTHING_CHOSEN)}>
          Show all
        </button>
      )}
    </aside>
  );
}
