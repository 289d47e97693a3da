"""Thin: PostgreSQL."""
