"""Looks: what the guests of an account see around its events.

Theory. An account has any number of looks (up to `SKINS_MAX`), each a name, two colours and two pictures,
and one of them may be the default of its new events. An event names its look. The house's own look,
`HOUSE_SKIN`, belongs to nobody, is always there and cannot be changed. A look that is deleted leaves its
events with the default; an event that names a look that it may not have (there was a race, or a row from
elsewhere) is shown in the default, too, so that no page ever depends on a row that may be gone.

No function commits; the caller's transaction does.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from events import colours
from events.errors import BadEventError, FieldProblem, UnknownEventError
from events.models import Event
from events.pictures import Kind, Picture
from events.skin_models import Skin, SkinPicture

HOUSE_SKIN = 1
SKINS_MAX = 50
NAME_CHARS_MAX = 80
HOUSE_ACCENT, HOUSE_BACKGROUND = "#0f766e", "#ffffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLink:
    """Where browsers find a picture, and how large it is, so that the page does not jump."""

    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look as pages and mails need it. `style_path` is empty for the house's own, which needs no sheet."""

    skin_id: int
    name: str
    accent: str
    background: str
    style_path: str = ""
    logo: PictureLink | None = None
    banner: PictureLink | None = None
    is_default: bool = False

    @property
    def own(self) -> bool:
        """Whether it is a look of the account, not the house's."""
        return self.skin_id != HOUSE_SKIN

    @property
    def band_words(self) -> str:
        """The colour of words on the background."""
        return colours.words_on(self.background)


HOUSE_LOOK = Look(skin_id=HOUSE_SKIN, name="Tollbridge", accent=HOUSE_ACCENT, background=HOUSE_BACKGROUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinWishes:
    """A look as it was asked for, checked. Build it with `parse_skin`."""

    name: str
    accent: str
    background: str


def parse_skin(fields: Mapping[str, Any]) -> SkinWishes:
    """The fields `name`, `accent` and `background`. Raises BadEventError with every problem found."""
    problems: list[FieldProblem] = []
    raw = fields.get("name")
    name = " ".join(raw.split()) if isinstance(raw, str) else ""
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable():
        problems.append(
            FieldProblem(field="name", message=f"must be 1 to {NAME_CHARS_MAX} printable characters")
        )
    found: dict[str, str] = {}
    for field_name in ("accent", "background"):
        try:
            found[field_name] = colours.parse_colour(fields.get(field_name))
        except ValueError as exc:
            problems.append(FieldProblem(field=field_name, message=str(exc)))
    accent = found.get("accent")
    if accent is not None and not colours.reads_on(accent, colours.WHITE):
        problems.append(FieldProblem(field="accent", message=too_pale(accent)))
    if problems:
        raise BadEventError(problems)
    return SkinWishes(name=name, accent=found["accent"], background=found["background"])


def too_pale(accent: str) -> str:
    """Why an accent cannot be taken, and what could be instead."""
    ratio = colours.contrast(accent, colours.WHITE)
    instead = colours.nearest_reading(accent, colours.WHITE)
    return (
        f"white words cannot be read on it: the contrast is {ratio:.1f}, and {colours.RATIO_MIN} is needed; "
        f"the nearest colour that passes is {instead}"
    )


def create_skin(
    session: Session, *, account_id: int, wishes: SkinWishes, default: bool, now: datetime
) -> Skin:
    """A new look. Raises BadEventError when the account has as many as it may have."""
    count = session.scalar(select(func.count()).select_from(Skin).where(Skin.account_id == account_id))
    if (count or 0) >= SKINS_MAX:
        message = f"there are {SKINS_MAX} looks, which is all there may be"
        raise BadEventError([FieldProblem(field="name", message=message)])
    skin = Skin(
        account_id=account_id,
        public_key=secrets.token_urlsafe(12),
        name=wishes.name,
        accent=wishes.accent,
        background=wishes.background,
        is_default=False,
        created_at=now,
        updated_at=now,
    )
    session.add(skin)
    session.flush()
    if default:
        make_default(session, account_id=account_id, skin_id=skin.id)
    return skin


def get_skin(session: Session, *, account_id: int, skin_id: int) -> Skin:
    """The account's look. Raises UnknownEventError for another account's, the house's, or none."""
    query = select(Skin).where(Skin.id == skin_id, Skin.account_id == account_id)
    skin = session.scalars(query).one_or_none()
    if skin is None:
        raise UnknownEventError("there is no such look")
    return skin


def change_skin(session: Session, skin: Skin, *, wishes: SkinWishes, now: datetime) -> None:
    skin.name, skin.accent, skin.background = wishes.name, wishes.accent, wishes.background
    skin.updated_at = now
    session.flush()


def make_default(session: Session, *, account_id: int, skin_id: int) -> None:
    """New events get this look from now on; `HOUSE_SKIN` is the house's. Raises UnknownEventError."""
    session.execute(
        update(Skin).where(Skin.account_id == account_id, Skin.is_default).values(is_default=False)
    )
    session.expire_all()
    if skin_id != HOUSE_SKIN:
        get_skin(session, account_id=account_id, skin_id=skin_id).is_default = True
    session.flush()


def delete_skin(session: Session, skin: Skin) -> int:
    """Take a look away; its events get the default. How many events that were."""
    account_id = skin.account_id
    assert account_id is not None, "get_skin gives looks of accounts only"
    session.execute(delete(SkinPicture).where(SkinPicture.skin_id == skin.id))
    session.execute(delete(Skin).where(Skin.id == skin.id))
    moved = session.execute(
        update(Event)
        .where(Event.account_id == account_id, Event.skin_id == skin.id)
        .values(skin_id=default_of(session, account_id))
        .returning(Event.id)
    )
    return len(moved.all())


def set_picture(session: Session, skin: Skin, *, kind: Kind, picture: Picture | None, now: datetime) -> None:
    """Put a picture in place of the one that is there; None takes it away."""
    session.execute(delete(SkinPicture).where(SkinPicture.skin_id == skin.id, SkinPicture.kind == kind.value))
    if picture is not None:
        session.add(
            SkinPicture(
                skin_id=skin.id,
                kind=kind.value,
                digest=hashlib.blake2b(picture.body, digest_size=12).hexdigest(),
                content_type=picture.content_type,
                width=picture.width,
                height=picture.height,
                body=picture.body,
            )
        )
    skin.updated_at = now
    session.flush()


def default_of(session: Session, account_id: int) -> int:
    """The look of the account's new events."""
    query = select(Skin.id).where(Skin.account_id == account_id, Skin.is_default)
    return session.scalar(query) or HOUSE_SKIN


def wanted_or_default(session: Session, *, account_id: int, skin_id: int | None) -> int:
    """The look with that number when it is the account's or the house's, else the account's default: programs
    that come from elsewhere send numbers of looks that are not here, and their events are to be made all the
    same.
    """
    query = select(Skin.id).where(Skin.id == skin_id, Skin.account_id == account_id)
    if skin_id is not None and (skin_id == HOUSE_SKIN or session.scalar(query) is not None):
        return skin_id
    return default_of(session, account_id)


def looks_of(session: Session, account_id: int) -> list[Look]:
    """What the account's events may look like: the house's own first, then its own in their order."""
    skins = session.scalars(select(Skin).where(Skin.account_id == account_id).order_by(Skin.id)).all()
    return [HOUSE_LOOK, *_looks(session, skins)]


def look_of(session: Session, event: Event) -> Look:
    """How an event looks; see the module text for events whose look is gone."""
    query = select(Skin).where(
        Skin.account_id == event.account_id, or_(Skin.id == event.skin_id, Skin.is_default)
    )
    if event.skin_id == HOUSE_SKIN:
        return HOUSE_LOOK
    found = sorted(session.scalars(query).all(), key=lambda skin: skin.id != event.skin_id)
    return _looks(session, found[:1])[0] if found else HOUSE_LOOK


def for_mail(look: Look, *, public_url: str) -> dict[str, Any]:
    """A look as the layout of mails shows it: colours, and a logo with its whole address."""
    logo = look.logo
    return {
        "own": look.own,
        "name": look.name,
        "accent": look.accent,
        "background": look.background,
        "words": look.band_words,
        "logo": "" if logo is None else f"{public_url}{logo.path}",
        "logo_width": 0 if logo is None else round(logo.width * min(1.0, 44 / logo.height)),
    }


def one_look(session: Session, skin: Skin) -> Look:
    """A look of which the row is at hand."""
    return _looks(session, [skin])[0]


def style_sheet(session: Session, *, key: str, version: str) -> str | None:
    """The style sheet at an address that a look gave out; the present one for an older version. None: no such
    look.
    """
    skin = session.scalars(select(Skin).where(Skin.public_key == key)).one_or_none()
    if skin is None or skin.account_id is None or not version.isalnum():
        return None
    return colours.style_sheet(accent=skin.accent, background=skin.background)


def picture(session: Session, *, key: str, kind: str, digest: str) -> tuple[str, bytes] | None:
    """(content type, bytes) of a picture; None: there is no such picture (any more)."""
    query = (
        select(SkinPicture.content_type, SkinPicture.body)
        .join(Skin, Skin.id == SkinPicture.skin_id)
        .where(Skin.public_key == key, SkinPicture.kind == kind, SkinPicture.digest == digest)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def _looks(session: Session, skins: Sequence[Skin]) -> list[Look]:
    pictures = _links(session, skins)
    return [
        Look(
            skin_id=skin.id,
            name=skin.name,
            accent=skin.accent,
            background=skin.background,
            style_path=f"/look/{skin.public_key}/{_version(skin)}.css",
            logo=pictures.get((skin.id, Kind.LOGO.value)),
            banner=pictures.get((skin.id, Kind.BANNER.value)),
            is_default=skin.is_default,
        )
        for skin in skins
    ]


def _links(session: Session, skins: Iterable[Skin]) -> dict[tuple[int, str], PictureLink]:
    keys = {skin.id: skin.public_key for skin in skins}
    query = select(
        SkinPicture.skin_id, SkinPicture.kind, SkinPicture.digest, SkinPicture.content_type,
        SkinPicture.width, SkinPicture.height,
    ).where(SkinPicture.skin_id.in_(keys))  # fmt: skip
    return {
        (row[0], row[1]): PictureLink(
            path=f"/look/{keys[row[0]]}/{row[1]}-{row[2]}.{row[3].rpartition('/')[2]}",
            width=row[4],
            height=row[5],
        )
        for row in session.execute(query)
    }


def _version(skin: Skin) -> str:
    """The name of a style sheet changes with what it says (and with how we write it)."""
    sheet = colours.style_sheet(accent=skin.accent, background=skin.background)
    return hashlib.blake2b(sheet.encode(), digest_size=6).hexdigest()
