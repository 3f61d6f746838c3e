"""Models that were trained elsewhere, opened as real libraries and hostile hands leave them."""
