"""Training on molecules: `recipe` says how, `fit` does it, `saved` keeps it, `workflow` does it all for a table."""
