// Places in the app, kept in the part of the address after #, which the server never sees.

import { useSyncExternalStore } from "react";

export type Place = { name: "cases" } | { name: "case"; id: string } | { name: "new" };

export function pathTo(place: Place): string {
  if (place.name === "case") return `#/cases/${encodeURIComponent(place.id)}`;
  return place.name === "new" ? "#/new" : "#/";
}

function parsed(hash: string): Place {
  const [, first, second] = hash.split("/");
  if (first === "cases" && second) return { name: "case", id: decodeURIComponent(second) };
  return first === "new" ? { name: "new" } : { name: "cases" };
}

export function go(place: Place): void {
  location.hash = pathTo(place);
}

function listen(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}

export function usePlace(): Place {
  const hash = useSyncExternalStore(listen, () => location.hash);
  return parsed(hash);
}
