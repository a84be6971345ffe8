"""What the API says in Arabic: problems, values that cannot be used, and what the operator has stored."""
