"""The `todoke` command: everything on one machine, and what operators and marketers do by hand."""
