"""A stand-in for the LINE platform with its real limits, signed webhooks, and faults on request."""
