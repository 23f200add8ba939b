from __future__ import annotations

import pytest
from wrapper_runner.last_words import TAIL_LINES, last_words

FRAMES = (
    "Traceback (most recent call last):",
    '  File "ansible/cli/__init__.py", line 660, in cli_executor',
    "    exit_code = cli.run()",
    "                ^^^^^^^^^",
)
FULL = "OSError: [Errno 28] No space left on device"


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (["a\n", "\n", "  b  \n", "c"], "a | b | c"),
        (["before", *FRAMES, FULL, "  its details"], f"before | {FULL} | its details"),
        (
            [*FRAMES, FULL, "", "During another", "", *FRAMES, "TypeError: no"],
            f"{FULL} | During another | TypeError: no",
        ),
        (FRAMES, ""),
        ([], ""),
    ],
)
def test_of_a_traceback_it_is_told_what_it_comes_to(printed: list[str], told: str) -> None:
    assert last_words(printed) == told


@pytest.mark.parametrize("begins", range(1, len(FRAMES)))
def test_frames_are_known_where_their_beginning_is_cut_off(begins: int) -> None:
    assert last_words([*FRAMES[begins:], FULL]) == FULL


def test_only_the_end_is_told() -> None:
    assert last_words(str(line) for line in range(100)) == " | ".join(
        str(line) for line in range(100 - TAIL_LINES, 100)
    )
