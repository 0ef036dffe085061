"""What an operator may set about the voice menus."""

from dataclasses import dataclass

__all__ = ["IvrSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IvrSettings:
    """Times and limits of one call's menus. Values that contradict each other are refused when built."""

    pin_tries: int = 3
    """Wrong PINs, and silences, that a call may have of each before it ends."""
    pin_length_max: int = 20
    """More digits than this are refused without looking them up."""
    first_digit_s: float = 15.0
    """Seconds of silence after a PIN prompt before it is repeated."""
    next_digit_s: float = 6.0
    """Seconds after a digit when the PIN counts as typed, though no `#` came."""
    pin_phase_max_s: float = 180.0
    """Seconds from the answer in which a caller must have typed a good PIN."""
    answer_max_s: float = 10.0
    """Seconds that the PIN check, or entering the room, may take before the caller is told of trouble."""
    submenu_s: float = 15.0
    """Seconds without a key, from the end of its choices, after which a submenu is left."""
    prompt_max_s: float = 60.0
    """Seconds after which a prompt counts as played although nobody said so."""
    goodbye_max_s: float = 20.0
    """Seconds that the last prompt may take before the call is ended without its end."""
    room_keys_per_s: float = 6.0
    """Keys a second that a caller in the room may press for long; more are ignored."""
    room_keys_burst: int = 10
    """Keys that a caller in the room may press at once."""
    type_ahead_max: int = 24
    """Keys kept while a PIN is being checked; more are ignored."""

    def __post_init__(self) -> None:
        for name in ("pin_tries", "pin_length_max", "room_keys_burst"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in (
            "first_digit_s", "next_digit_s", "pin_phase_max_s", "answer_max_s", "submenu_s",
            "prompt_max_s", "goodbye_max_s", "room_keys_per_s",
        ):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0")
        if self.type_ahead_max < 0:
            raise ValueError("type_ahead_max must not be negative")
        if self.pin_phase_max_s < self.first_digit_s:
            raise ValueError("pin_phase_max_s must not be shorter than first_digit_s")
