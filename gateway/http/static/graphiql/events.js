// Subscriptions over server-sent events: what GraphiQL's own fetcher does over WebSocket only.

const ALIVE = /^:/;

// Whether the operation that is to run is a subscription; of several, the one with the name.
export function subscribes(document, name) {
  const operations = (document?.definitions ?? []).filter(
    (one) => one.kind === "OperationDefinition" && (name == null || one.name?.value === name),
  );
  return operations[0]?.operation === "subscription";
}

// The answers, one after another. Whoever reads them ends them at once by return(), which a
// generator would only heed after its next answer.
export function answers(send, url, params) {
  const ended = new AbortController();
  const all = allOf(send, url, params, ended.signal);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => all.next(),
    return: () => {
      ended.abort();
      return Promise.resolve({ value: undefined, done: true });
    },
  };
}

async function* allOf(send, url, params, signal) {
  try {
    const response = await send(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify(params),
      signal,
    });
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      yield await response.json();
      return;
    }
    for await (const event of events(response.body)) {
      if (event.name === "complete") return;
      if (event.name === "next") yield JSON.parse(event.data);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = block.split("\n").filter((line) => !ALIVE.test(line));
      const field = (name) =>
        fields.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1).trim() ?? "";
      yield { name: field("event"), data: field("data") };
    }
  }
}
