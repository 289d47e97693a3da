"""Where the dispatcher touches PostgreSQL and LINE."""
