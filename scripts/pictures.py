"""Take the pictures of pages for the documentation.

    PYTHONPATH=.:platform .venv/bin/python scripts/pictures.py

A house full of calls, top-ups and charges is made with the real services, as the tests make it, and its pages
are opened in Chromium, on a desktop and on a telephone. Pictures of the room are taken by its own tests.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from accounts.users import Role, find_user, set_roles
from database import migrate
from database.engine import create_engine, make_sessions
from tests.billing.payments.server import free_socket, serving, url_of
from tests.support.billing_house import NOW, PASSWORD, open_house
from tests.support.browser import PHONE, chromium, new_page
from tests.web.site.conftest import create_site

PICTURES = Path(__file__).parents[1] / "docs" / "img" / "pages"
DESKTOP = {"viewport": {"width": 1200, "height": 800}}


def main() -> None:
    """Make the house, take the pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/pictures.db"
        migrate.upgrade(url)
        engine = create_engine(url)
        sessions = make_sessions(engine)
        with open_house(engine, sessions) as house:
            ann = house.account("ann@example.org", event="Quarterly results")
            house.company(ann)
            house.now = NOW - timedelta(days=40)
            house.top_up(ann, 2_000, save_card=True)
            for days in (38, 21, 12, 9, 5):
                house.session(ann, at=NOW - timedelta(days=days), calls=9, minutes=45)
            big = house.session(ann, at=NOW - timedelta(days=3), calls=14, minutes=60)
            house.now = NOW
            house.scene.runner.run_once(NOW)
            (invoice,) = house.invoice(ann)
            charge = house.charge_of(big)
            with sessions.begin() as session:
                call = house.calls.of_session(session, big)[0].cdr_id
                set_roles(session, find_user(session, ann.email), [Role.ORGANISER, Role.BILLING])
            pages = {
                "events": "/events",
                "event-new": "/events/new",
                "billing": "/billing",
                "top-up": "/billing/top-up",
                "transactions": "/billing/transactions",
                "transaction": f"/billing/transactions/{charge}",
                "explained": f"/billing/calls/{call}",
                "calculator": "/billing/estimate",
                "statistics": "/statistics",
                "staff-calls": "/staff/calls",
                "staff-call": f"/staff/calls/{call}",
                "staff-rates": "/staff/rates",
                "staff-charts": "/staff/charts",
                "account": "/account",
            }
            sock = free_socket()
            base = url_of(sock)
            app = create_site(replace(house.services, public_url=base))
            with serving(app, sock), chromium() as browser:
                for kind, options in (("", DESKTOP), ("-phone", PHONE)):
                    with new_page(browser, **options) as page:
                        page.goto(f"{base}/sign-in")
                        page.screenshot(path=str(PICTURES / f"sign-in{kind}.png"))
                        page.fill("input[name=email]", ann.email)
                        page.fill("input[name=password]", PASSWORD)
                        page.click("main button[type=submit]")
                        page.wait_for_url("**/events")
                        for name, path in pages.items():
                            page.goto(f"{base}{path}")
                            page.screenshot(path=str(PICTURES / f"{name}{kind}.png"))
            print(f"{2 * (len(pages) + 1)} pictures in {PICTURES}; the bill in them is {invoice}")
        engine.dispose()


if __name__ == "__main__":
    main()
