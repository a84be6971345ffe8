"""Runs and their attempts, read from Jobs and Pods and written as Jobs."""
