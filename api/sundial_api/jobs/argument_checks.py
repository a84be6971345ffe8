"""Do the arguments of a job fit the parametersSchema of its task function, as its row has it?

The operator asks the same of the object, and decides: a row may be a moment behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sundial_api.db.fetch import Row
from sundial_api.http.errors import Invalid, Invalids
from sundial_api.http.invalid_values import InvalidValue
from sundial_clock.sentences import say
from sundial_core.resources.parameters.checks import prepare_parameters
from sundial_core.resources.parameters.misfits import Misfit
from sundial_core.resources.raw import JsonObject


def check_fit(args: JsonObject | None, function: Row | Mapping[str, Any] | None) -> None:
    """Check arguments; raises Invalids with the place of each value that does not fit.

    A function that is gone checks nothing. Raises Invalid where the schema itself cannot be used.
    """
    if function is None or function["deleted_at"] is not None or function["parameters_schema"] is None:
        return
    parameters = prepare_parameters(function["parameters_schema"])
    if isinstance(parameters, Misfit):
        place = ".".join(map(str, ("parametersSchema", *parameters.place)))
        words = say("cannot be used, {place}: {why}", place=place, why=parameters.sentence)
        raise Invalid(("body", "taskFunctionId"), words)
    misfits = parameters.find_misfits(args)
    if misfits:
        raise Invalids(
            [InvalidValue(("body", "taskArgs", *misfit.place), misfit.sentence) for misfit in misfits]
        )
