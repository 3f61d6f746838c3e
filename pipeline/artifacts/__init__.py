"""Files <-> core types: paths, atomic writes, schema versions, what is of which data."""
