"""What every room of Todoke shares: contracts, conditions, campaigns, and thin adapters to Kafka and PostgreSQL.

No service is imported from here (import-linter holds it).
"""
