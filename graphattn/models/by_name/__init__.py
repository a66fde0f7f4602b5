"""Networks from the names of a layer and of a topology: the configurations that are compared, and those of the estimators."""
