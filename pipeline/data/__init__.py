"""From a source named in params.yaml to one packed dataset: obtain, check, decode, split, group, write."""
