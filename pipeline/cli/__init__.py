"""`shortcut-audit`: the command line, and what people run by hand."""
