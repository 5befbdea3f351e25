"""Dead letters for the operator: what there is, one in full, send again."""
