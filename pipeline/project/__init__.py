"""A project in a folder of anyone's: the files that `init` writes, and never over one that is there."""
