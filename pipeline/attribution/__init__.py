"""Which training images caused a prediction: TRAK scores and their summaries."""
