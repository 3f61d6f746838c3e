"""A report's JSON as tables, figures and cards for other programs. Everything comes from the summary."""
