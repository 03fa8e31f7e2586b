// Instants as the reader's browser writes them.

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const day = (instant: string) => DAY.format(new Date(instant));
export const moment = (instant: string) => MOMENT.format(new Date(instant));
