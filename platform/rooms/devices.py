"""What people have their sound on: a browser, a telephone, or both.

Theory.  A person is one entry, whatever they came with.  A browser can be lost for a moment and come back;
a telephone can become the sound of somebody who is here with a browser, and hang up again.  The telephone
has precedence: while it is there the browser plays nothing and its microphone is off, otherwise the person
would hear themselves twice.  Who has no device left is not in the room (`Room` sees to that).

Devices change nothing about what a person may say or hears: `Room.audio()` is the person's, and whoever
owns the legs gives it to the device named by `sound`.
"""

from __future__ import annotations

from rooms import commands as c
from rooms import events as e
from rooms.modes import Via
from rooms.people import Person
from rooms.reading import RoomReading


class RoomDevices(RoomReading):
    """The part of the room that knows of devices."""

    def _link_phone(self, cmd: c.LinkPhone, _now_s: float) -> list[e.RoomEvent]:
        person = self._person(cmd.participant_id)
        before = person.sound
        newer_call = Via.PHONE in person.devices
        person.devices |= {Via.PHONE}
        person.city, person.country, person.number = cmd.city, cmd.country, cmd.number_masked
        person.phone_key = cmd.rejoin_key
        self._touched.add(person.id)
        linked = e.PhoneLinked(
            participant_id=person.id, city=person.city, country=person.country, number=person.number
        )
        return [linked, *(self._unknown(person) if newer_call else self._sound_was(person, before))]

    def _connection(self, cmd: c.Connection, _now_s: float) -> list[e.RoomEvent]:
        person = self._people.get(cmd.participant_id)
        if person is None:
            return []
        named = self._named(person, cmd.name)
        had_web = Via.WEB in person.devices
        if (had_web, person.connected) == (True, cmd.connected) or not (had_web or cmd.connected):
            return named
        person.devices |= {Via.WEB}
        person.connected = cmd.connected
        self._touched.add(person.id)
        return [*named, e.ConnectionChanged(participant_id=person.id, connected=cmd.connected, web=True)]

    def _named(self, person: Person, name: str | None) -> list[e.RoomEvent]:
        """A name that is newly typed counts; one that was typed before does not undo what others gave."""
        if name is None or name == person.joined_name:
            return []
        person.joined_name = name
        if person.name == name:
            return []
        person.name = name
        self._touched.add(person.id)
        return [e.Renamed(participant_id=person.id, name=name, actor=person.id)]

    def _web_sound(self, cmd: c.WebSound, _now_s: float) -> list[e.RoomEvent]:
        person = self._people.get(cmd.participant_id)
        if person is None or Via.WEB not in person.devices or person.web_sound == cmd.on:
            return []
        before = person.sound
        person.web_sound = cmd.on
        return self._sound_was(person, before)

    def _set_quality(self, cmd: c.SetQuality, _now_s: float) -> list[e.RoomEvent]:
        person = self._people.get(cmd.participant_id)
        if person is None or person.quality == cmd.quality:
            return []
        person.quality = cmd.quality
        self._touched.add(person.id)
        return [e.QualityChanged(participant_id=person.id, quality=person.quality)]

    def _device_gone(self, person: Person, device: Via) -> list[e.RoomEvent]:
        """The person stays with another device."""
        before = person.sound
        person.devices -= {device}
        assert person.devices
        self._touched.add(person.id)
        gone: e.RoomEvent
        if device is Via.PHONE:
            person.city = person.country = person.number = None
            gone = e.PhoneUnlinked(participant_id=person.id)
        else:
            person.web_sound, person.connected = False, True
            gone = e.ConnectionChanged(participant_id=person.id, connected=True, web=False)
        return [gone, *self._sound_was(person, before)]

    def _sound_was(self, person: Person, before: Via | None) -> list[e.RoomEvent]:
        """Tell when the sound comes another way than before; nothing is known of its quality and talk yet."""
        if person.sound is before:
            return []
        self._touched.add(person.id)
        changed = e.SoundChanged(participant_id=person.id, sound=person.sound)
        return [changed, *self._unknown(person)]

    def _unknown(self, person: Person) -> list[e.RoomEvent]:
        """Another leg carries the sound: what was told of the one before does not hold any more."""
        happened: list[e.RoomEvent] = []
        if person.quality is not None:
            person.quality = None
            happened.append(e.QualityChanged(participant_id=person.id, quality=None))
        if person.talking:
            person.talking = False
            happened.append(e.TalkingChanged(participant_id=person.id, talking=False))
        return happened
