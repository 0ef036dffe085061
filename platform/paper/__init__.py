"""What every printed document needs, whatever is on it: fonts."""
