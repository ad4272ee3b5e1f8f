"""The door for a WSGI server: gunicorn wsgi:app."""

from service import create_app, logs

logs.configure()
with logs.refused_starts():
    app = create_app()
