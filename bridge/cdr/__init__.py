"""One record per call: facts, how they are measured, and how they reach the database whatever happens."""
