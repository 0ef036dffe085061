"""Pages about what was: statistics, the history of events, who was in a session, and what one may say
afterwards.
"""
