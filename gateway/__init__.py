"""The gateway: GraphQL over a law firm's cases, and the application of both surfaces.

app         the composition root: nothing but wiring
server/     what every request passes through; limits/, what a document may be and cost
execution/  how an operation is executed; schema/, what can be asked for
http/       GraphQL over HTTP, stage by stage, and GraphiQL
commands/   the command casegraph; settings, logs and globalids serve them all
"""
