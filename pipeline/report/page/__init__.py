"""The HTML page: layout, charts, pictures."""
