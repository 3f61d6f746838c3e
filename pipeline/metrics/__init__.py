"""Pure numbers: color features, intervals, accuracy per group, paired comparisons, association."""
