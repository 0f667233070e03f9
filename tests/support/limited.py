"""The desk's API with rate limits that a test can reach."""

from dataclasses import replace

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.http.limits import BoundedMemory, Rate, RateLimits
from tests.support.desk import BASE, Desk

ADDRESS = "192.0.2.1"


def limited(desk: Desk, subject: Rate, merchant_subjects: int = 2) -> FastAPI:
    limits = RateLimits(BoundedMemory(), subject, merchant_subjects, hold_seconds=0)
    return create_app(replace(desk.app.state.context, rate_limits=limits))


def like(client: httpx.AsyncClient, app: FastAPI, address: str = ADDRESS) -> httpx.AsyncClient:
    """A client with the same token, at an address of its own."""
    transport = httpx.ASGITransport(app=app, client=(address, 50_000))
    token = {name: value for name, value in client.headers.items() if name == "authorization"}
    return httpx.AsyncClient(transport=transport, base_url=f"http://desk.test{BASE}", headers=token)
