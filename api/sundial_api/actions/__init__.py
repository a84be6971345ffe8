"""What people do with jobs and runs beside editing them: pause, resume, retry, backfill."""
