"""GraphQL over HTTP.

endpoint       one ASGI application for GET and POST
parameters     a request's parameters, read and checked
pipeline       from the parameters to the answer, stage by stage
introspection  recognizes introspection, which the demo key allows without a key
graphiql       the page for the browser; its files are in static/
"""
