"""The errors of bridge.ivr.

    IvrError
    ├── CatalogueError      a prompt text is missing, or one of its placeholders is: our fault
    ├── RecordingError      a recording in the operator's prompt folder cannot be used: the operator's
    └── SpeechError         the synthesiser is missing, or has no such voice: the installation's

A caller's keys raise nothing: whatever is pressed, in whatever order, the flow answers with a prompt, with
silence or by ending the call.
"""

__all__ = ["CatalogueError", "IvrError", "RecordingError", "SpeechError"]


class IvrError(Exception):
    """The root of everything that this package raises on purpose."""


class CatalogueError(IvrError):
    """A text is missing from the prompt catalogue or does not fit its prompt."""


class RecordingError(IvrError):
    """A recording in the prompt folder is no usable WAV file; the message says why."""


class SpeechError(IvrError):
    """eSpeak NG could not be loaded or could not speak a text."""
