"""The doors of ingest: parse, decide, publish, answer. Each is a function of what stands behind it and a request."""
