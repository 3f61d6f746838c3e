"""What people read: page, cards, comparisons, gate, exports. Words and pictures only; it adds no number."""
