"""HTTP API of Jobi."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel, StringConstraints

from . import config, store, visits

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Status = Literal["wishlist", "applied", "interview", "offer", "rejected"]


class NewJob(BaseModel):
    title: Name
    company: Name


class StatusChange(BaseModel):
    status: Status


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    store.prepare()
    yield


app = FastAPI(title="Jobi", lifespan=lifespan)

# With an empty list, the middleware allows no other origin.
app.add_middleware(
    CORSMiddleware,
    allow_origins=config.CORS_ORIGINS,
    allow_methods=["GET", "POST", "PATCH", "DELETE"],
    allow_headers=["Content-Type"],
)


@app.get("/health")
def health() -> dict:
    return {"status": "ok", "instance": config.INSTANCE}


@app.get("/api/info")
def info() -> dict:
    """Return facts about this instance. Each request counts as a visit."""
    return {
        "port": config.PORT,
        "instance": config.INSTANCE,
        "redis": config.REDIS_URL is not None,
        "visits": visits.count_visit(),
    }


@app.get("/api/jobs")
def list_jobs() -> list[dict]:
    return store.list_jobs()


@app.post("/api/jobs", status_code=201)
def add_job(job: NewJob) -> dict:
    return store.add_job(job.title, job.company)


@app.patch("/api/jobs/{job_id}")
def change_status(job_id: int, change: StatusChange) -> dict:
    job = store.set_status(job_id, change.status)
    if job is None:
        raise HTTPException(404, "no such job")
    return job


@app.delete("/api/jobs/{job_id}", status_code=204)
def delete_job(job_id: int) -> None:
    if not store.delete_job(job_id):
        raise HTTPException(404, "no such job")
