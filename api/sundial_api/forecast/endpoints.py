"""GET /forecast."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.forecast import repository
from sundial_api.forecast.forecaster import Forecaster, Window
from sundial_api.forecast.schemas import Forecast, ForecastQuery
from sundial_kube.resources import SCHEDULED_JOBS

router = APIRouter(tags=["status"])


@router.get("/forecast", response_model=Forecast)
async def get_forecast(
    request: Request,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[ForecastQuery, Query()],
) -> Response:
    """Tell what starts in the next hours: slots by job and quarter of an hour."""
    reach = await caller.find_reach(SCHEDULED_JOBS, query.namespace)
    window = Window.of(services.read_clock(), query.hours)
    async with services.engine.begin() as connection:
        jobs = await repository.list_schedules(connection, reach.namespaces, window.until)
    forecaster = cast(Forecaster, request.app.state.forecaster)
    answer = await forecaster.foresee(jobs, window, reach)
    return Response(answer, media_type="application/json")
