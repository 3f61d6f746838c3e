"""Where images come from: one file a loader, and the registry."""
