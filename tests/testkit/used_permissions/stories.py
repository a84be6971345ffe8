"""Stories that go on side by side: each says what it waits for, and goes on once that is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sundial_devcluster.polling import until

Condition = Callable[[], object]
Story = Iterator[Condition]
"""Yields what it waits for; asked again and again until that is true."""


def play(stories: Mapping[str, Story], timeout: float) -> None:
    """Play stories to their ends; raises TimeoutError with the names of those that are stuck."""
    waiting: dict[str, Condition] = {name: lambda: True for name in stories}

    def go_on() -> bool:
        for name, condition in list(waiting.items()):
            if condition():
                _step(name, stories[name], waiting)
        return not waiting

    try:
        until(go_on, timeout)
    except TimeoutError as error:
        raise TimeoutError(f"still waiting after {timeout:g} s: {', '.join(waiting)}") from error
    except Exception as error:
        error.add_note(f"stories that were not over: {', '.join(waiting)}")
        raise


def _step(name: str, story: Story, waiting: dict[str, Condition]) -> None:
    condition = next(story, None)
    if condition is None:
        del waiting[name]
    else:
        waiting[name] = condition
