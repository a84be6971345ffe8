"""Which instants a schedule names: cron, APScheduler fields, intervals, in any time zone; pure."""
