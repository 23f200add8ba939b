"""What a play that came to no end has printed last, for the operator's log and the status."""

from __future__ import annotations

from collections.abc import Iterable

TAIL_LINES = 15
_TRACEBACK = "Traceback (most recent call last)"


def last_words(lines: Iterable[str]) -> str:
    """The end of what was printed, in one line, and of a traceback what it comes to.

    Ansible prints one for whatever it does not expect, a full disk too. Who looks for a mistake
    finds the whole of it among the artifacts of the run. lines: with their indentation, by which
    the frames of a traceback are known, also when its beginning is cut off.
    """
    kept: list[str] = []
    is_in_frames = True
    for line in lines:
        if not line.strip():
            continue
        if line.startswith(_TRACEBACK):
            is_in_frames = True
        elif not (is_in_frames and line[0].isspace()):
            is_in_frames = False
            kept.append(line.strip())
    return " | ".join(kept[-TAIL_LINES:])
