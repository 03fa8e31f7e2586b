"""GraphQL over HTTP.

endpoint       one ASGI application for GET and POST; repeats, requests repeated byte for byte
accept         the media type that the client likes best; parameters: what it asks, checked
pipeline       from the parameters to the answer, in stages; validating; telling, to the log
feeding        what a subscription is told; subscribing, events, sockets, pacing: streams of it
persisted      named documents; manifests, where trusted ones come from
introspection  recognizes introspection; graphiql, the page; single_page, an app at /
"""
