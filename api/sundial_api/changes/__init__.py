"""The log of what was changed of jobs: who, what, when, before and after."""
