"""How the runs of a job do: success, duration and lateness, in all and by day."""
