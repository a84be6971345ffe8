"""Which faults, in which order? The same seed gives the same plan; only the moments differ."""

from __future__ import annotations

import random
from dataclasses import dataclass

from chaos.disturbances import DISTURBANCES
from chaos.faults import KILLS, OTHER_FAULTS

KILLS_OF = {"kill twice": 2}
WEIGHTS = {"kill at a slot": 5, "kill between": 4, "kill twice": 1}


@dataclass(frozen=True, slots=True)
class Round:
    """A fault of the leader, and what goes wrong beside it, if anything."""

    fault: str
    disturbance: str | None

    def __str__(self) -> str:
        return f"{self.fault} + {self.disturbance}" if self.disturbance else self.fault


def make_plan(seed: int, kills: int, others: int) -> list[Round]:
    """Plan that many kills, half of them undisturbed, and that many other faults, as evenly as it goes."""
    chance = random.Random(seed)
    faults = _draw_kills(chance, kills) + _spread(chance, list(OTHER_FAULTS), others)
    chance.shuffle(faults)
    beside = _spread(chance, list(DISTURBANCES), len(faults))
    alone = {fault: chance.randrange(2) for fault in dict.fromkeys(faults)}
    rounds = []
    for fault in faults:
        alone[fault] += 1
        is_alone = fault in KILLS and alone[fault] % 2 == 0
        rounds.append(Round(fault, None if is_alone else beside.pop()))
    return rounds


def count_kills(plan: list[Round]) -> int:
    """Count how many leaders a plan kills."""
    return sum(KILLS_OF.get(one.fault, 1) for one in plan if one.fault in KILLS)


def _draw_kills(chance: random.Random, kills: int) -> list[str]:
    drawn: list[str] = []
    left = kills
    while left > 0:
        fault = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if KILLS_OF.get(fault, 1) <= left:
            drawn.append(fault)
            left -= KILLS_OF.get(fault, 1)
    return drawn


def _spread(chance: random.Random, kinds: list[str], count: int) -> list[str]:
    """Draw each kind as often as the others, give or take one."""
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += chance.sample(kinds, len(kinds))
    return drawn[:count]
