"""Files <-> core types: paths, atomic writes, schema versions, whose data a result is of."""
