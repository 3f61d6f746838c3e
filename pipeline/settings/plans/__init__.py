"""What a stage is told where one section of `params.yaml` is not all of it: one file a stage."""
