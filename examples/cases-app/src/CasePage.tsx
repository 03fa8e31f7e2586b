import { graphql, useLazyLoadQuery } from "react-relay";
import type { CasePageQuery } from "./__generated__/CasePageQuery.graphql";
import { day } from "./dates";
import { useLiveCase } from "./live";
import { PartyRoles } from "./PartyRoles";
import { pathTo } from "./router";
import { StatusSelect } from "./StatusSelect";
import { Timeline } from "./Timeline";

const TO: Record<string, string> = {
  RELATED: "is related to",
  PARENT: "belongs to",
  CHILD: "has as a part",
  PREDECESSOR: "follows",
  SUCCESSOR: "is followed by",
  APPEAL: "is appealed in",
  LOWER_INSTANCE: "is the appeal from",
};

export function CasePage({ id }: { id: string }) {
  const { case: found } = useLazyLoadQuery<CasePageQuery>(
    graphql`
      query CasePageQuery($id: ID!) {
        case(id: $id) {
          id
          name
          fileNumber
          type
          description
          dezernat
          createdAt
          ...StatusSelect_case
          ...PartyRoles_case
          staff {
            nodes {
              id
              role
              staff {
                name
                email
              }
            }
          }
          links {
            nodes {
              id
              type
              linkedCase {
                id
                name
                fileNumber
              }
            }
          }
          ...Timeline_case
        }
      }
    `,
    { id },
    { fetchPolicy: "store-and-network" },
  );
  useLiveCase(found?.id ?? id);

  if (found == null) {
    return (
      <>
        <h1>This case is gone</h1>
        <p>It was deleted, or it never was in this firm.</p>
        <a href={pathTo({ name: "cases" })}>All cases</a>
      </>
    );
  }
  const staff = found.staff?.nodes ?? [];
  const links = found.links?.nodes ?? [];
  return (
    <article>
      <h1>{found.name}</h1>
      <p className="facts">
        {[found.fileNumber, found.type, found.dezernat, `opened ${day(found.createdAt)}`]
          .filter(Boolean)
          .join(" · ")}
      </p>
      <StatusSelect of={found} />
      {found.description != null && <p className="description">{found.description}</p>}
      <PartyRoles of={found} />
      <section aria-labelledby="staff">
        <h2 id="staff">Staff</h2>
        <ul>
          {staff.map((one) => (
            <li key={one.id}>
              {one.staff.name} <span className="facts">{one.role.replaceAll("_", " ")}</span>
            </li>
          ))}
        </ul>
        {staff.length === 0 && <p>Nobody works on it.</p>}
      </section>
      <section aria-labelledby="links">
        <h2 id="links">Other cases</h2>
        <ul>
          {links.map(({ id: link, type, linkedCase }) => (
            <li key={link}>
              <span className="facts">{TO[type]}</span>{" "}
              <a href={pathTo({ name: "case", id: linkedCase.id })}>{linkedCase.name}</a>
            </li>
          ))}
        </ul>
        {links.length === 0 && <p>None.</p>}
      </section>
      <Timeline of={found} />
    </article>
  );
}
