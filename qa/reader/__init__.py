"""Does this passage answer this question, and where: inference in `baseline`, its fitting in `fit_baseline`."""
