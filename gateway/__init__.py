"""The gateway: GraphQL over a law firm's cases, and the one application of both surfaces.

app       the composition root: nothing but wiring; settings and logs
server/   connections, and what every request passes through
limits/   what a document may be, and what it costs
execution/  how an operation is executed
schema/   what can be asked for, in Strawberry's words
http/     GraphQL over HTTP, stage by stage; GraphiQL
commands/ the command casegraph
"""
