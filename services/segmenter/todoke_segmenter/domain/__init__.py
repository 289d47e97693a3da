"""Pure: no clock, network, database or framework."""
