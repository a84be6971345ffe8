"""All Arabic sentences of the API, those of the clock included."""

from __future__ import annotations

from sundial_api.http.arabic.arguments import ARGUMENTS
from sundial_api.http.arabic.problems import PROBLEMS
from sundial_api.http.arabic.stored import RULES, STORED
from sundial_api.http.arabic.values import VALUES
from sundial_clock.arabic.sentences import ARABIC as CLOCK
from sundial_clock.sentences import Catalogue

ARABIC = Catalogue({**CLOCK.forms, **ARGUMENTS, **PROBLEMS, **VALUES, **RULES, **STORED}, CLOCK.nouns)
