"""The key that signs cookies: from the settings, else made once and kept in the data folder."""

from __future__ import annotations

import hashlib
import os
import secrets

from tollbridge.settings import Settings

KEY_BYTES = 32


def signing_key(settings: Settings) -> bytes:
    """32 bytes, the same at every start. Raises OSError when the data folder cannot be written."""
    if settings.secret_key is not None:
        return hashlib.blake2b(
            settings.secret_key.get_secret_value().encode(), digest_size=KEY_BYTES
        ).digest()
    path = settings.data_dir / "secret.key"
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(KEY_BYTES)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(key)
    if len(key) != KEY_BYTES:
        raise OSError(f"{path} does not hold {KEY_BYTES} bytes; delete it, and people in rooms enter again")
    return key
