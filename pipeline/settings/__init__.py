"""`params.yaml` as typed, validated settings: one file a section, `params` for the whole."""
