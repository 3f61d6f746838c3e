"""Names that people write: of classes, splits, columns, roles."""
