// What the page asks the server about the key's workspace: its name, and values for the examples.

const QUESTION = `query Workspace {
  viewer { workspace mode }
  known: cases(filter: { search: "mueller gmbh" }) { totalCount }
  cases(first: 20) {
    nodes { id name fileNumber links(first: 100) { nodes { linkedCase { id } } } }
  }
}`;
const PATIENCE = 5000; // milliseconds

// Gives { viewer, found }; viewer is undefined if the server has not told it.
export async function lookUp(endpoint, send) {
  let data;
  try {
    const answer = await send(endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query: QUESTION }),
      signal: AbortSignal.timeout(PATIENCE),
    });
    ({ data } = await answer.json());
  } catch {
    // The page works without: the examples then have places to fill in.
  }
  const cases = data?.cases?.nodes ?? [];
  const [one, other] = unlinked(cases);
  return {
    viewer: data?.viewer ?? undefined,
    found: {
      first: cases.find((it) => it.fileNumber) ?? cases[0] ?? {},
      one,
      other,
      search: data?.known?.totalCount ? "mueller gmbh" : wordOf(cases[0]?.name),
      fresh: new Date()
        .toISOString()
        .slice(0, 19)
        .replaceAll(/[^0-9]/g, ""),
    },
  };
}

function unlinked(cases) {
  for (const one of cases) {
    const linked = new Set((one.links?.nodes ?? []).map((link) => link.linkedCase?.id));
    const other = cases.find((it) => it.id !== one.id && !linked.has(it.id));
    if (other !== undefined) return [one, other];
  }
  return [];
}

function wordOf(name = "") {
  return name.match(/\p{Letter}{4,}/u)?.[0] ?? "mueller gmbh";
}
