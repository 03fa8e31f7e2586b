"""The gateway: GraphQL over a law firm's cases, and the application of both surfaces.

app         the composition root: only wiring
server/     connections and middleware; limits/, the limits on a document and its cost
telemetry/  metrics and traces
execution/  how an operation is executed; schema/, the GraphQL schema
http/       GraphQL over HTTP, stage by stage, and GraphiQL
commands/   the command casegraph; all use settings, logs, globalids, loading, stopping, threads
"""
