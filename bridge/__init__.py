"""The telephone side: signalling, keypad, media plane, call records."""
