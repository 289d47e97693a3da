"""TIMERS: triggers -> enrolments -> timers -> message requests."""
