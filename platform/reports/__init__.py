"""What was: statistics, histories and reports of events that took place."""
