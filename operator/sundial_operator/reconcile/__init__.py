"""When which ScheduledJob is looked at, and the look itself."""
