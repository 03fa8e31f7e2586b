// How Relay talks to casegraph: documents by their ids, and errors as sentences for people.

import {
  Environment,
  Network,
  Observable,
  RecordSource,
  Store,
  type GraphQLResponse,
  type RequestParameters,
  type Variables,
} from "relay-runtime";
import { listen } from "./events";

// What went wrong, in words. With `status` 401 the key is at fault, and somebody has to give another.
export class Trouble extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export function environmentWith(key: string): Environment {
  async function ask(request: RequestParameters, variables: Variables): Promise<GraphQLResponse> {
    let response: Response;
    try {
      response = await fetch("/graphql", {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
        body: JSON.stringify({ documentId: `sha256:${request.id}`, variables }),
      });
    } catch {
      throw new Trouble("The server does not answer. Nothing is lost: try again in a moment.", 0);
    }
    const answer = await response.json().catch(() => ({}));
    const [error] = answer.errors ?? [];
    if (error !== undefined && (answer.data === undefined || answer.data === null)) {
      throw new Trouble(sentence(error, response), response.status);
    }
    return answer;
  }

  function subscribe(
    request: RequestParameters,
    variables: Variables,
  ): Observable<GraphQLResponse> {
    return Observable.create((sink) =>
      listen(
        () => ({
          method: "POST",
          headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
          body: JSON.stringify({ documentId: `sha256:${request.id}`, variables }),
        }),
        (answer) => sink.next(answer as GraphQLResponse),
        (error) => sink.error(error),
      ),
    );
  }

  return new Environment({
    network: Network.create(ask, subscribe),
    store: new Store(new RecordSource(), { gcReleaseBufferSize: 20 }),
  });
}

type ServerError = { message: string; extensions?: { code?: string } };

function sentence(error: ServerError, response: Response): string {
  switch (error.extensions?.code) {
    case "AUTH_INVALID_KEY":
      return "The server does not know this key. It may have ended or been revoked.";
    case "RATE_LIMIT_EXCEEDED":
      return `Too many requests. Try again in ${response.headers.get("Retry-After") ?? "60"} s.`;
    case "PERSISTED_QUERY_NOT_FOUND":
    case "PERSISTED_QUERY_NOT_SUPPORTED":
      return (
        "The server was not started with this app's documents. " +
        "Set CASEGRAPH_DOCUMENTS to the app's persisted.json."
      );
    default:
      return error.message;
  }
}
