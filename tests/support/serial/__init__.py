"""A shop's load, and what a serial reader makes of it: the judge of the segmenter, which it never imports.

`told` is one event; `load` makes up a shop's hours, `arrivals` the order in which they are told; `identities`, `person`
and `reader` are the oracle, `rules` the segments and campaigns that it knows by heart; `readings` is what the segmenter
has stored, `judging` compares. `alone` tells a story to a segmenter on topics in memory.
"""
