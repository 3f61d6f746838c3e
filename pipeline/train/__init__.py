"""One training loop for every method; `options` are what any method can switch on."""
