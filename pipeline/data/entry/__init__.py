"""An entry of params.yaml for data of your own: guessed, previewed, written."""
