"""The pure heart of Sundial: schedules, decisions, manifests; no I/O and no clock."""
