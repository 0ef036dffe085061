"""`tollbridge user …`: people who sign in, their passwords and what they may do."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from accounts.users import Role
from tollbridge.cli_tools import AccountName, AsJson, database, show

user_app = typer.Typer(help="People who sign in to the web pages.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="Mail address with which the person signs in.")]
Roles = Annotated[
    list[Role] | None,
    typer.Option("--role", help="What the person may do; may be given several times. Default: organiser."),
]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking.")
]


def _password(from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


@user_app.command("create")
def create(
    email: Email,
    account: AccountName,
    role: Roles = None,
    password_stdin: FromInput = False,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in to an account."""
    from accounts.service import find_account
    from accounts.users import create_user
    from database.types import now_utc

    password = _password(password_stdin)
    with database() as (_, stores), stores.sessions.begin() as session:
        user = create_user(
            session,
            account_id=find_account(session, account).id,
            email=email,
            password=password,
            roles=role or [Role.ORGANISER],
            now=now_utc(),
        )
        values = {"user_id": user.id, "email": user.email, "roles": " ".join(user.roles)}
    show(values, as_json=as_json)


@user_app.command("password")
def password(email: Email, password_stdin: FromInput = False) -> None:
    """Set a person's password; every browser of theirs is signed out."""
    from accounts.users import find_user, set_password

    new = _password(password_stdin)
    with database() as (_, stores), stores.sessions.begin() as session:
        set_password(session, find_user(session, email), new)


@user_app.command("roles")
def roles(email: Email, role: Roles = None) -> None:
    """Set what a person may do: organiser, billing (staff), admin (staff)."""
    from accounts.users import find_user, set_roles

    with database() as (_, stores), stores.sessions.begin() as session:
        set_roles(session, find_user(session, email), role or [Role.ORGANISER])


@user_app.command("list")
def list_(account: AccountName) -> None:
    """Print the people of an account."""
    from accounts.service import find_account
    from accounts.users import list_users

    with database() as (_, stores), stores.readers() as session:
        for user in list_users(session, account_id=find_account(session, account).id):
            state = "disabled" if user.disabled_at else " ".join(user.roles)
            typer.echo(f"{user.email}  {state}")
