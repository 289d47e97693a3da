"""What the dispatcher knows without a clock, a network, a database or a framework."""
