"""What computes a prediction: one file per runtime, imported only when it is needed."""
