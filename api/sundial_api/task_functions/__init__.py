"""What can be run, and the kinds of schedules."""
