"""What a server tells of itself, without a value or a client's name.

metrics     what is counted and measured, for Prometheus, and how a request is counted
sampling    what is set when it is looked at: use of the database, memory
scraping    /metrics: who may read it, and the answer
tracing     OpenTelemetry: a span for each request and each statement
"""
