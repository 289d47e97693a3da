"""What an operator does in ingest's tables, with rights that ingest itself has not."""
