"""What do the tables of the original scheduler say? Read-only, row by row, whatever is in them."""
