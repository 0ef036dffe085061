"""Open pages learn of switches that were turned elsewhere."""

from __future__ import annotations

from rooms.commands import Join
from rooms.feed import RoomFeed
from rooms.modes import Role, Via
from tests.web.conftest import House
from web.setting_watch import SettingWatch


def test_a_switch_turned_over_http_reaches_the_pages_once(house: House) -> None:
    made = house.api.post("/v1/conferences", json={"name": "Talk", "permanent_room": 1}).json()["room"]
    services = house.services
    room_id = str(made["id"])
    services.live.open(room_id, name="Talk")
    services.live.apply(
        room_id, Join(participant_id="p", name="P", role=Role.PRESENTER, via=Via.WEB), now_s=0.0
    )
    services.directory.refresh()
    feed: RoomFeed = services.feed
    seen: list[str] = []
    feed.subscribe(lambda _room, entries, _events: seen.extend(entry.presenters for entry in entries))
    watch = SettingWatch(services.live, feed, services.directory)
    watch.look()
    assert seen == []
    answer = house.api.put(
        f"/v1/conferences/{room_id}", json={"settings": {"phonegateway_enabled": 0, "toll_free_enabled": 0}}
    )
    assert answer.status_code == 200
    watch.look()
    watch.look()
    assert len(seen) == 1
    assert '"gateway":false' in seen[0]
