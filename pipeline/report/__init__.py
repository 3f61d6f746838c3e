"""What people read: a typed summary of one audit, then its HTML and JSON. Rendering only formats."""
