// What somebody else changed in between, in words. The event is the last one of the case.

import { moment } from "./dates";

type Change = { readonly field: string; readonly after?: unknown };
type Event = { readonly actor: string; readonly at: string; readonly changes: readonly Change[] };

export function told({ actor, at, changes }: Event): string {
  const plain = changes.filter(({ after }) => after === null || typeof after !== "object");
  const what = plain
    .map(({ field, after }) => `${field} is now ${String(after ?? "empty").toLowerCase()}`)
    .join(", ");
  return (
    `Your change was not stored: ${actor} changed the case on ${moment(at)}` +
    `${what === "" ? "" : ` (${what})`}. You see it as it is now; choose again if you still want to.`
  );
}
