"""Work that processes share: tasks side by side, pieces taken from a folder, and a process's rank."""
