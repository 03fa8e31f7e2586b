"""From the socket to the application, for both surfaces.

process     uvicorn's server and supervisor, which stop without losing what they accepted
connection  one HTTP/1.1 connection, with a deadline for everything a client can delay
exchange    one request and its answer, written in one piece; sockets, one that became a WebSocket
anchoring   writes the ends of the timelines to the log
edge        around every request: ids, the access log; caps, on load and size
compression gzip for long answers
"""
