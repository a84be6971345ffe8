"""Whether arguments fit the schema of their TaskFunction, and what a check may cost."""
