"""GraphQL over HTTP.

endpoint       one ASGI application for GET and POST
parameters     what a request asks for, read and checked
pipeline       from that to the answer, stage by stage
introspection  what a demonstration's key is lent for
graphiql       the page for people, its files in static/
"""
