"""Looks: the organiser's pages about them, and what guests' browsers fetch of them."""
