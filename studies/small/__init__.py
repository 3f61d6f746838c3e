"""Small data and small networks that studies train, and what several of them measure."""
