"""MESSAGES: requests -> render, decide, rate-limit, send -> outcomes."""
