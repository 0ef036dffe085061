"""Routes: for whoever runs the machine. They need no key and tell nothing about organisers or callers."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from web.access import AllServices
from web.schemas import HealthAnswer
from web.services import Services

router = APIRouter(tags=["operations"])


@router.get(
    "/healthz", summary="Health", responses={503: {"model": HealthAnswer, "description": "Some part fails."}}
)
def healthz(services: AllServices, response: Response) -> HealthAnswer:
    """200 when every part works, 503 with the parts that do not otherwise. Calls go on without the
    database.
    """
    checks = {"database": _database(services), **services.health().checks}
    ok = all(state == "ok" for state in checks.values())
    response.status_code = 200 if ok else 503
    return HealthAnswer(status="ok" if ok else "failing", version=services.version, checks=checks)


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
)
def metrics(services: AllServices) -> Response:
    """Counters and gauges for Prometheus."""
    return Response(generate_latest(services.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _database(services: Services) -> str:
    try:
        with services.readers() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return "cannot be reached"
    return "ok"
