"""A shop's day in the topics, and an installation that has taken it: what `todoke rebuild` is held against."""
