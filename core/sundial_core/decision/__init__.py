"""What to do about one ScheduledJob now, as a value; nothing here acts."""
