"""What the clock says in Arabic: schedules in words, and what is wrong with one."""
