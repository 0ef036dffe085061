"""Mail that leaves: texts, the outbox that survives a crash, and SMTP."""
