"""Does this passage answer this question, and where: inference in `reader` and `encode`, the rest is its training."""
