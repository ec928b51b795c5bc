"""What can be asked for: strategies, symbols, objectives, algorithms."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from stratopt.api.dependencies import JsonResponse, Service
from stratopt.api.security import Reader
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.objectives import OBJECTIVES
from stratopt.search.algorithms import ALGORITHMS
from stratopt.strategies.description import describe
from stratopt.wire.server_answers import ObjectiveList, SeriesList, StrategyDescription, StrategyList

router = APIRouter(prefix="/api/v1", tags=["catalogues"])


@router.get("/strategies", summary="Strategies", response_model=StrategyList)
def list_strategies(request: Request, caller: Reader) -> Response:
    """All strategies of the catalogue and of the operator; `problems` lists own strategies that could not be loaded."""
    strategies = request.app.state.strategies
    problems = [{"code": p.code, "detail": p.message} for p in strategies.problems]
    return JsonResponse({"data": [describe(s) for s in strategies], "problems": problems})


@router.get("/strategies/{name}", summary="One strategy", response_model=StrategyDescription)
def get_strategy(name: str, request: Request, caller: Reader) -> Response:
    """Documentation, defaults and search space."""
    strategies = request.app.state.strategies
    if name not in strategies:
        raise BatchOptimizationError(
            f"there is no strategy {name!r}; GET /api/v1/strategies lists them", code="not_found", strategy=name
        )
    return JsonResponse(describe(strategies.get(name)))


@router.get("/symbols", summary="Market data", response_model=SeriesList)
def list_symbols(service: Service, caller: Reader) -> Response:
    """Every stored series; longer timeframes that are multiples are made on demand."""
    return JsonResponse({"data": service.planner.market.listing()})


@router.get("/objectives", summary="Objectives and algorithms", response_model=ObjectiveList)
def list_objectives(caller: Reader) -> Response:
    """What a search may maximise, and the engines that are installed here."""
    installed = [name for name, algorithm in ALGORITHMS.items() if algorithm.is_installed]
    return JsonResponse({"objectives": list(OBJECTIVES), "algorithms": installed})
