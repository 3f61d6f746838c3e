"""What people read: page, cards, comparisons, gate, exports. It formats and adds no number."""
