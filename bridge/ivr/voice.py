"""One caller's prompts: one playing, at most one waiting, never a pile.

Answers to a caller's own key cut short whatever plays. Notices about what others did wait until an answer
has been heard; a newer notice replaces an older one, playing or waiting, since it tells the newer truth. So
whatever the room does, a caller is at most one notice behind.
"""

from bridge.ivr.commands import Command, Play, StopPlay
from bridge.ivr.prompt import Prompt

__all__ = ["Voice"]


class Voice:
    """What is being said to one caller, as orders to the player."""

    def __init__(self, *, prompt_max_s: float) -> None:
        self._prompt_max_s = prompt_max_s
        self._last_id = 0
        self._playing: int | None = None
        self._is_notice = False
        self._ends_s = 0.0
        self._waiting: tuple[Prompt, ...] | None = None
        self.replaced = 0
        """Notices that were never heard because a newer one came."""

    @property
    def speaking(self) -> bool:
        """Whether something plays."""
        return self._playing is not None

    def deadline_s(self) -> float | None:
        """When what plays counts as played, should the player never say so."""
        return None if self._playing is None else self._ends_s

    def say(self, prompts: tuple[Prompt, ...], *, now_s: float, interruptible: bool = True) -> list[Command]:
        """Say this now."""
        return self._play(prompts, now_s=now_s, interruptible=interruptible, notice=False)

    def notify(self, prompts: tuple[Prompt, ...], *, now_s: float) -> list[Command]:
        """Say this when the caller is free to listen."""
        if self.speaking and not self._is_notice:
            self.replaced += self._waiting is not None
            self._waiting = prompts
            return []
        self.replaced += self.speaking
        return self._play(prompts, now_s=now_s, interruptible=True, notice=True)

    def hush(self) -> list[Command]:
        """Say nothing any more, unless it waits and still matters."""
        if not self.speaking:
            return []
        self._playing = None
        return [StopPlay()]

    def forget(self) -> None:
        """Drop the notice that waits."""
        self._waiting = None

    def played(self, play_id: int) -> bool:
        """The player came to an end. True if it is the one that matters."""
        if play_id != self._playing:
            return False
        self._playing = None
        return True

    def overdue(self, *, now_s: float) -> bool:
        """Whether what plays counts as played by now; if so it is."""
        if self._playing is None or now_s < self._ends_s:
            return False
        self._playing = None
        return True

    def next_notice(self, *, now_s: float) -> list[Command]:
        """Say what waits, if anything does and nothing plays."""
        if self.speaking or self._waiting is None:
            return []
        prompts, self._waiting = self._waiting, None
        return self._play(prompts, now_s=now_s, interruptible=True, notice=True)

    def _play(
        self, prompts: tuple[Prompt, ...], *, now_s: float, interruptible: bool, notice: bool
    ) -> list[Command]:
        self._last_id += 1
        self._playing = self._last_id
        self._is_notice = notice
        self._ends_s = now_s + self._prompt_max_s
        return [Play(play_id=self._last_id, prompts=prompts, interruptible=interruptible)]
