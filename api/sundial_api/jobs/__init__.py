"""Schedules as the frontend sees them: list, create, edit, toggle, trigger."""
