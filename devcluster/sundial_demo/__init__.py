"""The demo: a cluster, the operator and a few schedules, shown live."""
