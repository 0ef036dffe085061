"""Errors of the accounts package.

AccountsError
├── BadEmailError       not a mail address: the caller's fault
├── EmailTakenError     an account with this address exists: the caller's fault
├── UnknownAccountError there is no such account: the caller's fault
└── UnknownKeyError     no such API key, or revoked, or its account is disabled: the caller's fault
"""

from __future__ import annotations


class AccountsError(Exception):
    """Parent of all errors of this package."""


class BadEmailError(AccountsError):
    """The text is no mail address that we could write to."""


class EmailTakenError(AccountsError):
    """An account with this mail address exists already."""


class UnknownAccountError(AccountsError):
    """No account with this mail address or number."""


class UnknownKeyError(AccountsError):
    """The API key opens nothing. The message never says which part was wrong."""
