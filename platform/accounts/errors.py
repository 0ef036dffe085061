"""Errors of the accounts package.

AccountsError
├── BadEmailError       not a mail address: the caller's fault
├── EmailTakenError     an account with this address exists: the caller's fault
├── UnknownAccountError there is no such account: the caller's fault
├── UnknownKeyError     no such API key, or revoked, or its account is disabled: the caller's fault
├── UnknownUserError    nobody signs in with this address: the caller's fault
├── BadSignInError      wrong address or password; it is never said which: the caller's fault
├── BadPasswordError    a new password that cannot be accepted: the caller's fault
└── BadResetError       the link to a new password is used, too old or was never made: the caller's fault
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


class UnknownUserError(AccountsError):
    """Nobody signs in with this mail address."""


class BadSignInError(AccountsError):
    """The address, the password, or both are wrong, or the person may not sign in any more."""


class BadPasswordError(AccountsError):
    """The new password is too short, too long, or the address itself; `reason` is which."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BadResetError(AccountsError):
    """The link opens nothing (any more)."""
