"""What ingest decides about a request, with no clock, network or framework."""
