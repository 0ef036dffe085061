"""A room's memory and everything that can be read of it; `rooms.room.Room` adds what changes it.

Snapshots are cheap: the frozen `ParticipantState` of each person is kept until a command touches that person,
so a page that asks every second in a room of two thousand copies references.
"""

from __future__ import annotations

from rooms.errors import Refused
from rooms.modes import Audio, AudioMode, MutedBy, Role
from rooms.people import Departures, Person, Removals
from rooms.questions import QuestionQueue
from rooms.state import ParticipantState, RoomState


class RoomReading:
    """The state of one room (see `rooms.state.RoomView` for who may rely on what).

    `discussion_limit`: most people in discussion mode.  `capacity`: most participants (presenters do not
    count), None for no limit.  `tones`: join and leave tones wanted.  `rejoin_s`: how long, in seconds, a
    person who left is remembered.
    """

    def __init__(
        self,
        room_id: str,
        *,
        name: str,
        mode: AudioMode = AudioMode.LISTEN_ONLY,
        discussion_limit: int = 25,
        capacity: int | None = None,
        tones: bool = True,
        rejoin_s: float = 300.0,
    ) -> None:
        self.room_id = room_id
        self.name = name
        self.mode = mode
        self.discussion_limit = discussion_limit
        self.capacity = capacity
        self.started = False
        self.started_at_s: float | None = None
        self.locked = False
        self.ended = False
        self.empty_since_s: float | None = None
        self._tones_wanted = tones
        self._people: dict[str, Person] = {}
        self._presenters: set[str] = set()
        self._floor: str | None = None
        self._queue = QuestionQueue()
        self._departures = Departures(keep_s=rejoin_s)
        self._removals = Removals()
        self._music_default = True
        self._audio: dict[str, Audio] = {}
        self._touched: set[str] = set()
        self._cards: dict[str, ParticipantState] = {}

    def __contains__(self, participant_id: object) -> bool:
        return participant_id in self._people

    @property
    def headcount(self) -> int:
        """People in the room, presenters included."""
        return len(self._people)

    @property
    def presenter_count(self) -> int:
        """Presenters in the room."""
        return len(self._presenters)

    @property
    def tones(self) -> bool:
        """Whether joins and leaves should be heard: a setting, and never in listen only."""
        return self._tones_wanted and self.mode is not AudioMode.LISTEN_ONLY

    @property
    def floor_holder(self) -> str | None:
        """The one participant who may speak in Q&A."""
        return self._floor

    @property
    def question_count(self) -> int:
        """Participants waiting with a question."""
        return len(self._queue)

    def people(self) -> tuple[str, ...]:
        """Ids of everyone in the room, in order of joining."""
        return tuple(self._people)

    def questions(self) -> tuple[str, ...]:
        """Ids of those waiting with a question, first one first."""
        return tuple(self._queue)

    def role(self, participant_id: str) -> Role:
        """Role of a person in the room. Raises Refused("not-in-room")."""
        return self._person(participant_id).role

    def muted_by(self, participant_id: str) -> MutedBy | None:
        """Who muted a person; None when not muted. Raises Refused("not-in-room")."""
        return self._person(participant_id).muted_by

    def music_on(self, participant_id: str) -> bool:
        """Whether this person wants hold music. Raises Refused("not-in-room")."""
        return self._person(participant_id).music_on

    def question_position(self, participant_id: str) -> int | None:
        """Place in the queue from 1, None when not in it."""
        return self._queue.position(participant_id)

    def audio(self, participant_id: str) -> Audio:
        """What a person may say and hears now. Raises Refused("not-in-room")."""
        self._person(participant_id)
        return self._audio[participant_id]

    def audio_plan(self) -> dict[str, Audio]:
        """Everybody's sound, by participant id."""
        return dict(self._audio)

    def state(self) -> RoomState:
        """The whole room as a frozen value. Unchanged people are reused from the last snapshot."""
        return RoomState(
            room_id=self.room_id,
            name=self.name,
            mode=self.mode,
            started=self.started,
            locked=self.locked,
            ended=self.ended,
            participants=tuple(self._card(person) for person in self._people.values()),
            floor=self._floor,
            questions=tuple(self._queue),
            music_on=self._music_default,
            started_at_s=self.started_at_s,
        )

    def card(self, participant_id: str) -> ParticipantState:
        """One person as the snapshot has them. Raises Refused("not-in-room")."""
        return self._card(self._person(participant_id))

    def _person(self, participant_id: str) -> Person:
        person = self._people.get(participant_id)
        if person is None:
            raise Refused("not-in-room")
        return person

    @property
    def _stage(self) -> AudioMode | None:
        return self.mode if self.started else None

    def _card(self, person: Person) -> ParticipantState:
        card = self._cards.get(person.id)
        if card is None:
            card = self._cards[person.id] = ParticipantState(
                id=person.id,
                name=person.name,
                role=person.role,
                via=person.via,
                city=person.city,
                muted=person.muted_by is not None,
                muted_by=person.muted_by,
                talking=person.talking,
                floor=person.id == self._floor,
                question=self._queue.position(person.id),
                joined_at_s=person.joined_at_s,
                country=person.country,
                number=person.number,
                devices=person.devices,
                sound=person.sound,
                connected=person.connected,
                quality=person.quality,
                music_on=person.music_on,
            )
        return card
