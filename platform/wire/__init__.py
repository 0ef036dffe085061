"""Typed messages between processes of the house."""
