"""Telephone numbers inside names, masked as they are in call records: a caller's name is often just a
number.
"""

from __future__ import annotations

import re

from bridge.cdr.masking import masked

_NUMBER = re.compile(r"\+?\d(?:[ ().\-/]{0,2}\d){6,}")


def mask_numbers(text: str) -> str:
    """`text` with every telephone number in it (seven digits or more) masked."""
    return _NUMBER.sub(lambda match: masked(re.sub(r"[^\d+]", "", match[0])) or "", text)
