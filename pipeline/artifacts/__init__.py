"""Files <-> core types: paths, atomic writes, schema versions. The only layer, with `data`, on disk."""
