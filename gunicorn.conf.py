"""gunicorn: one process a core, two threads each; the knowledge is loaded once and shared by fork.

What was measured for these choices, and how to reload: docs/serving.md.
"""

import gc
import multiprocessing
import os
import sys
from typing import Any

from prometheus_client import multiprocess

from service import auth, metrics
from service import workers as own
from service.settings import Settings, WrongSetting

preload_app = True
worker_class = "service.worker.Worker"  # gthread that hands over whole requests only
workers = max(2, multiprocessing.cpu_count())
threads = 2
worker_connections = 500  # a worker that runs out of file descriptors dies; 1024 is a common limit
timeout = 30
graceful_timeout = 10
keepalive = 5
# No leak was ever seen; a fresh worker now and then is insurance against the C engine.
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
accesslog = None
control_socket_disable = True
logger_class = "service.workers.Logger"


def nworkers_changed(_server: Any, _new: int, old: int | None) -> None:
    """The first time it has no old number; gunicorn has no other hook before it loads the application."""
    if old is None:
        own.begin()


def pre_fork(server: Any, worker: Any) -> None:
    worker.place = own.free_place(server)


def post_fork(_server: Any, worker: Any) -> None:
    metrics.place(worker.place)


def child_exit(_server: Any, worker: Any) -> None:
    multiprocess.mark_process_dead(worker.place)  # type: ignore[no-untyped-call]


def when_ready(server: Any) -> None:
    """Before the first worker: stop when the service is open and others than this machine could ask.

    Then freeze what was loaded: no collection of a worker walks the knowledge, and so none copies its pages.
    """
    # With reuse_port the sockets are those of the workers, and there are only the addresses that were asked for.
    addresses = [listener.getsockname() for listener in server.LISTENERS] or server.cfg.address
    try:
        auth.guard(addresses, Settings.read(os.environ))
    except (auth.Unprotected, WrongSetting) as error:
        sys.exit(f"lumbar: {error}")
    gc.collect()
    gc.freeze()


on_reload = when_ready


def post_request(worker: Any, _req: Any, environ: dict[str, Any], _resp: Any) -> None:
    """A worker whose engine is broken takes no more requests and leaves; the master forks another from sound memory."""
    if environ.get("lumbar.broken") and worker.alive:
        worker.log.error("engine broken; worker %s leaves", worker.pid)
        worker.alive = False
