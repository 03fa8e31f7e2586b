"""Between the socket and the application, for both surfaces.

process     uvicorn's server and supervisor, which stop without losing what they accepted
connection  one HTTP/1.1 connection, with a limit on all that a client can draw out
edge        what every request passes through: ids, the access log, at most so many at once
"""
