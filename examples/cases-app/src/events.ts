// Server-sent events by fetch, which sends the key in a header as EventSource cannot. A stream that
// ends is begun again after the last event, so that whoever reads misses nothing.

type Event = { id: string; name: string; data: string };

const FIRST_WAIT = 500; // milliseconds before the first try again, then twice as long each time
const LONGEST_WAIT = 15_000;
const REFUSED = new Set([400, 401, 403, 406]);

// Calls `tell` with each answer, until it is told to stop; `fail` if the server will not answer.
export function listen(
  request: () => RequestInit,
  tell: (answer: unknown) => void,
  fail: (error: Error) => void,
): () => void {
  const stopped = new AbortController();
  let last = "";

  async function once(): Promise<boolean> {
    const init = request();
    const headers = new Headers(init.headers);
    headers.set("Accept", "text/event-stream");
    if (last !== "") headers.set("Last-Event-ID", last);
    const response = await fetch("/graphql?events", { ...init, headers, signal: stopped.signal });
    if (REFUSED.has(response.status)) {
      fail(new Error(`The server tells of no changes (${response.status}).`));
      return true;
    }
    if (!response.ok || response.body === null) return false;
    for await (const event of eventsIn(response.body)) {
      if (event.id !== "") last = event.id;
      if (event.name !== "next") continue;
      const answer = JSON.parse(event.data) as { data?: unknown; errors?: { message: string }[] };
      if (answer.data === undefined) {
        fail(new Error(answer.errors?.[0]?.message ?? "The server tells of no changes."));
        return true;
      }
      wait = FIRST_WAIT;
      tell(answer);
    }
    return false;
  }

  let wait = FIRST_WAIT;
  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      const over = await once().catch(() => false);
      if (over || stopped.signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  }

  void run();
  return () => stopped.abort();
}

async function* eventsIn(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split("\n")
          .find((line) => line.startsWith(`${name}:`))
          ?.slice(name.length + 1)
          .trim() ?? "";
      yield { id: field("id"), name: field("event"), data: field("data") };
    }
  }
}
