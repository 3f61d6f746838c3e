"""Charts of the page, one a module: what is drawn, made of the report alone."""
