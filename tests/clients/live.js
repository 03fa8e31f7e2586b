// Many clients of the feed, half of them over WebSocket and half over server-sent events. Each goes on
// from its last cursor whenever its connection is lost, and ends when it has seen the last case.
const { createClient: overSockets } = require("graphql-ws");
const { createClient: overEvents } = require("graphql-sse");
const { writeFileSync } = require("fs");
const WebSocket = require("ws");

const [url, key, through, count, begin, last] = process.argv.slice(2);
const query = `subscription Live($after: String) {
  caseChanges(after: $after) {
    cursor
    node { seq type caseUuid case { name version } changes { field after } }
  }
}`;
const headers = { Authorization: `Bearer ${key}` };

function sockets() {
  return overSockets({
    url: through.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: headers,
    retryAttempts: 0,
    lazyCloseTimeout: 0,
  });
}

function events() {
  return overEvents({ url: through, headers, retryAttempts: 0 });
}

async function follow(make) {
  const seen = [];
  let after = begin;
  let lost = 0;
  let done = false;
  while (!done) {
    const client = make();
    await new Promise((resolve) => {
      const stop = client.subscribe(
        { query, variables: { after } },
        {
          next: (answer) => {
            if (!answer.data) {
              // Refused, as when its lost connections still count; it ends by itself.
              console.error(JSON.stringify(answer.errors));
              lost += 1;
              return;
            }
            const { cursor, node } = answer.data.caseChanges;
            after = cursor;
            seen.push([node.seq, node.type, node.caseUuid]);
            if (node.changes.some((one) => one.field === "name" && one.after === last)) {
              done = true;
              stop();
              resolve();
            }
          },
          error: () => {
            lost += 1;
            setTimeout(resolve, 20);
          },
          complete: () => setTimeout(resolve, 20),
        },
      );
    });
    await client.dispose();
  }
  return { seen, lost };
}

async function main() {
  const clients = Array.from({ length: Number(count) }, (_, n) => follow(n % 2 ? events : sockets));
  writeFileSync("told.json", JSON.stringify(await Promise.all(clients)));
}

process.on("unhandledRejection", (error) => {
  console.error(error);
  process.exit(1);
});
main().then(() => process.exit(0));
