// What was chosen in the menus, and the CaseFilter that it becomes.

export type Choice = { STATUS: string | null; TYPE: string | null; STAFF: string | null };
export const NOTHING_CHOSEN: Choice = { STATUS: null, TYPE: null, STAFF: null };

type Status = "ACTIVE" | "CLOSED" | "ARCHIVED";

export function filterOf(search: string, choice: Choice) {
  return {
    search: search.trim() || null,
    status: choice.STATUS === null ? null : [choice.STATUS as Status],
    type: choice.TYPE === null ? null : [choice.TYPE],
    staff: choice.STAFF === null ? null : { id: choice.STAFF },
  };
}
