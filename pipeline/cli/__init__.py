"""`python -m pipeline`: the command line, and what people run by hand."""
