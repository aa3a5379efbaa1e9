"""How fast the everyday tasks are, beside peers that do the same."""
