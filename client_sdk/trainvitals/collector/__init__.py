"""What is measured in the training step: hooks, sampling, statistics. Of the SDK only these rooms need torch."""
