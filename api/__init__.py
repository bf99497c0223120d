"""The ledger over HTTP: `create_app` builds the WSGI application that gunicorn serves."""

from api.app import create_app

__all__ = ["create_app"]
