"""The live room: who is in it, who may speak, who hears what.

Pure rules (`rooms.room.Room`) and the registry of rooms that are open now (`rooms.live.LiveRooms`).
Nothing here knows of telephones, browsers or databases.
"""
