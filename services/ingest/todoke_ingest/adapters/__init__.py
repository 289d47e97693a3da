"""What ingest puts around the outside world."""
