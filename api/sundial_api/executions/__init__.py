"""Runs and what became of them: lists, one, cancel."""
