"""When which ScheduledJob is reconciled, and the reconciliation itself."""
