"""How does the original's history become rows beside the mirror's? Each once, however often it is run."""
