"""One thin file for each stage of `dvc.yaml`: load, call, save."""
