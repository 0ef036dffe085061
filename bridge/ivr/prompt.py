"""A prompt: the name of something to say, and the numbers and words to say in it.

The flow speaks in prompts, never in sentences: which words they become, in which language, from a
recording or from the synthesiser, is decided by `bridge.ivr.prompts`. So the flow needs no language and a
test reads what a caller would hear.
"""

from dataclasses import dataclass

__all__ = ["Prompt", "prompt"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to say. Hashable, so that it can key a cache of finished sound."""

    key: str
    """Its name in the catalogue: lower case, words joined by `-`, subjects by `.`, such as `mute.by-
    presenter`.
    """
    args: tuple[tuple[str, int | str], ...] = ()
    """What fills the placeholders of the text, sorted by name."""

    def argument(self, name: str) -> int | str | None:
        """The value for a placeholder, None when the prompt has none of that name."""
        for own, value in self.args:
            if own == name:
                return value
        return None


def prompt(key: str, /, **args: int | str) -> Prompt:
    """Build a prompt: `prompt("headcount", n=7)`."""
    return Prompt(key, tuple(sorted(args.items())))
