"""The ground floor: engines, transactions, types and migrations. It knows no table of the house above it."""
