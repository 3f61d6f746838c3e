"""Pure numbers on arrays: intervals, and what is estimated with them."""
