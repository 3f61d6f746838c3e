"""Before hours are spent: what an audit of these data with these settings can and cannot say."""
