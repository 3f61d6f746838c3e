"""The edge: one thin file per DVC stage (load, call, save) and the command line."""
